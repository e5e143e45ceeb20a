"""What most requests do without is made when it is first asked for: a cold start need not wait for it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from spillway.domain.requests import InferenceRequest
from spillway.ports import Chunks, Inference, Result

T = TypeVar("T")
Target = TypeVar("Target")


class OnDemand(Generic[T]):
    """One thing. To make it may take a tenth of a second, as modules are loaded for it; it is made once."""

    def __init__(self, make: Callable[[], T]):
        self._make, self._making = make, threading.Lock()
        self.made: T | None = None
        """None as long as nobody has asked for it."""

    def now(self) -> T:
        """The thing, made in this very thread."""
        with self._making:
            if self.made is None:
                self.made = self._make()
            return self.made

    async def get(self) -> T:
        """The thing, made beside the event loop."""
        return await asyncio.to_thread(self.now) if self.made is None else self.made


class InferenceOnDemand(Generic[Target]):
    """A backend whose client is not loaded before its first job."""

    def __init__(self, inference: OnDemand[Inference[Target]]):
        self._inference = inference

    async def infer(self, request: InferenceRequest, target: Target, timeout_s: float) -> Result:
        """See ports.Inference."""
        return await (await self._inference.get()).infer(request, target, timeout_s)

    async def stream(self, request: InferenceRequest, target: Target, timeout_s: float) -> Chunks:
        """See ports.Inference."""
        async with aclosing((await self._inference.get()).stream(request, target, timeout_s)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        """See ports.Inference."""
        if self._inference.made is not None:
            await self._inference.made.close()
