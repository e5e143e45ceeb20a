"""Streamed chat: live as it comes, or held back until it is whole; never cut short without a word.

Live, a backend may be replaced until its first word has gone out. `whole`, it may be replaced until its last.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from spillway.domain.chat import finish_reason, words
from spillway.domain.deadlines import share
from spillway.domain.requests import InferenceRequest, Terms
from spillway.errors import BrokenAnswer, Overflow, TooSlow
from spillway.ports import Served
from spillway.services.backends import Backends
from spillway.services.round import Round
from spillway.services.tries import Try

# How long to wait for a usage chunk after the finish_reason; the answer is complete without it.
AFTER_END_S = 2.0


class Conversation:
    """One streamed answer. `served` is filled as it goes: the backend is known once the first chunk is out."""

    def __init__(self, backends: Backends, request: InferenceRequest, terms: Terms):
        self._backends = backends
        self._way = Round(backends, request, terms)
        self._whole = terms.whole if terms.whole is not None else self._way.route.stream == "whole"
        self._committed = False

    @property
    def served(self) -> Served:
        """The record of the request so far."""
        return self._way.record

    @property
    def held_back(self) -> bool:
        """Whether the answer is kept until it is whole."""
        return self._whole

    async def chunks(self) -> AsyncGenerator[dict[str, Any], None]:
        """The answer's chunks; one of them has a finish_reason.

        Raises CallerError and NobodyAnswered before the first chunk; an Overflow after it means that the answer broke
        off and can't be mended.
        """
        try:
            async with aclosing(self._through()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except BaseException as error:
            self._way.close(error)
            raise
        self._way.close(None)

    async def _through(self) -> AsyncGenerator[dict[str, Any], None]:
        await self._way.plan()
        for tried in self._way.tries():
            await self._way.prepare(tried)
            try:
                async with aclosing(self._try(tried)) as chunks:
                    async for chunk in chunks:
                        self._note(tried, chunk)
                        yield chunk
            except BaseException as error:
                self._way.end(tried, error)
                if self._committed:
                    raise
            else:
                self._way.end(tried, None)
                return
        raise self._way.nobody()

    def _note(self, tried: Try, chunk: dict[str, Any]) -> None:
        if not self._committed:
            self._committed = True
            self.served.served_by = tried.backend
            self.served.model = str(chunk.get("model") or self.served.model)

    async def _try(self, tried: Try) -> AsyncGenerator[dict[str, Any], None]:
        """A backend's chunks, held back until the first word, or until all are there."""
        silence_s = self._way.begin(tried)
        held: list[dict[str, Any]] = []
        ended = False
        async with aclosing(self._bounded(tried, silence_s)) as chunks:
            async for chunk in chunks:
                held.append(chunk)
                ended = ended or bool(finish_reason(chunk))
                if not self._whole and (self._committed or words(chunk) or ended):
                    for ready in held:
                        yield ready
                    held.clear()
        if not ended:
            raise BrokenAnswer("the stream ended without a finish_reason")
        for ready in held:
            yield ready

    async def _bounded(self, tried: Try, silence_s: float) -> AsyncGenerator[dict[str, Any], None]:
        """Chunks with a limit on the wait for each, and until the answer is ours to keep, on all together."""
        now = self._backends.monotonic
        until = now() + share(self._way.left_s(), limit_s=None, more=tried.more)
        ended = False
        async with aclosing(self._open(tried, silence_s)) as chunks:
            while True:
                end = self._way.deadline.at if self._committed else until
                wait_s = min(silence_s, max(0.0, end - now()))
                try:
                    async with asyncio.timeout(AFTER_END_S if ended else wait_s):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                except (TimeoutError, Overflow) as error:
                    if ended:
                        return
                    if isinstance(error, TimeoutError):
                        raise TooSlow(f"no word for {wait_s:.1f} s") from error
                    raise
                ended = ended or bool(finish_reason(chunk))
                yield chunk

    def _open(self, tried: Try, timeout_s: float) -> AsyncGenerator[dict[str, Any], None]:
        if tried.fallback is None:
            return self._backends.the_subnet.stream(self._way.request, self._way.route, timeout_s)
        return self._backends.hosted[tried.fallback.provider].stream(self._way.request, tried.fallback, timeout_s)
