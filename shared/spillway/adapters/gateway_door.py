"""The subnet's door in another process: the gateway's internal path (edge.internal), which has the gates."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic_core import from_json

from spillway.adapters.http import Answer, HttpPool, headers, translated
from spillway.domain.carried_errors import raised
from spillway.domain.requests import InferenceRequest, Terms
from spillway.errors import BrokenAnswer, CallerError, Overflow, Unreachable
from spillway.ports import Result
from spillway.ports.running import Started

BACKEND = "the gateway"
SILENCE_S = 15.0
"""It says something every three seconds."""
PAUSE_S = 1.0
LONGEST_CALL_S = 600.0
"""Patience of one call; the next one goes on where an instance was replaced meanwhile."""


class _NotBegun(Exception):
    """The call ended before a try had begun: it can be made again. `cause` is why."""

    def __init__(self, cause: Overflow):
        super().__init__(str(cause))
        self.cause = cause


class GatewayDoor:
    """Adapter of ports.running.SubnetDoor over HTTP; `key` is what both sides know."""

    def __init__(self, pool: HttpPool, *, base_url: str, key: str, silence_s: float = SILENCE_S):
        self._pool, self._base_url, self._key, self._silence_s = pool, base_url, key, silence_s

    async def infer(self, request: InferenceRequest, terms: Terms, patience_s: float, started: Started) -> Result:
        """One try. As long as it has not begun, a call that breaks off is made again."""
        until = time.monotonic() + patience_s
        while True:
            left_s = max(0.0, until - time.monotonic())
            try:
                return await self._call(request, terms, min(left_s, LONGEST_CALL_S), started)
            except _NotBegun as error:
                if left_s <= PAUSE_S:
                    raise error.cause from error
            await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """The connections are the pool's."""

    async def _call(self, request: InferenceRequest, terms: Terms, patience_s: float, started: Started) -> Result:
        begun = False
        try:
            async with aclosing(self._lines(request, terms, patience_s)) as lines:
                async for line in lines:
                    if line.get("event") == "started":
                        begun = True
                        await started()
                    elif line.get("event") == "result":
                        return Result(line["body"], str(line["model"]))
                    elif line.get("event") == "failed":
                        raise _Told(raised(line["error"]))
            raise BrokenAnswer(f"{BACKEND}'s answer broke off")
        except _Told as told:
            raise told.error from told
        except Overflow as error:
            if begun:
                raise
            raise _NotBegun(Unreachable(str(error), arrived=False)) from error

    async def _lines(
        self, request: InferenceRequest, terms: Terms, patience_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        with translated(BACKEND):
            async with asyncio.timeout(self._silence_s):
                response = await self._send(request, terms, patience_s)
        try:
            if response.status_code != 200:
                raise Unreachable(f"{BACKEND}'s internal path answered {response.status_code}", arrived=False)
            async with aclosing(self._split(response)) as lines:
                async for line in lines:
                    yield _read(line)
        finally:
            await response.aclose()

    async def _send(self, request: InferenceRequest, terms: Terms, patience_s: float) -> Answer:
        payload = request.payload
        sent = headers(
            content_type=payload.content_type,
            content_length=str(payload.size),
            x_spillway_internal_key=self._key,
            x_spillway_patience=f"{patience_s:.3f}",
            x_spillway_place=terms.place,
            x_spillway_prefer=terms.prefer,
            x_spillway_public_url=terms.public_url,
        )
        url = f"{self._base_url}/internal/subnet/{request.pipeline.name}"
        return await self._pool.send("POST", url, headers=sent, content=payload.content())

    async def _split(self, response: Answer) -> AsyncGenerator[bytes, None]:
        """Whole lines. Raises TooSlow where the gateway, or the way to it, has died."""
        pieces, rest = aiter(response.aiter_raw()), b""
        while True:
            with translated(BACKEND, answered=True):
                async with asyncio.timeout(self._silence_s):
                    piece = await anext(pieces, None)
            if piece is None:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line


class _Told(Exception):
    """What the gateway has said a try came to, whether it had begun or not."""

    def __init__(self, error: Overflow | CallerError):
        super().__init__(str(error))
        self.error = error


def _read(line: bytes) -> dict[str, Any]:
    try:
        told = from_json(line)
    except ValueError as error:
        raise BrokenAnswer(f"{BACKEND}'s line is not JSON") from error
    if not isinstance(told, dict):
        raise BrokenAnswer(f"{BACKEND}'s line is no object")
    return told
