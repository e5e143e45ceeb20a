"""Calls of a JSON API that manages things: bounded in time, repeated only where that is harmless."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from pydantic_core import to_json
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.stop import stop_base

from spillway.adapters.http import (
    Answer,
    HttpPool,
    error_body,
    headers,
    json_body,
    read_bounded,
    retry_after,
    translated,
)
from spillway.domain.outcomes import hosted_outcome
from spillway.errors import BrokenAnswer, NoCapacity, Overflow, RequestRejected, SpillwayError, TooSlow, Unreachable

TRY_S = 10.0
CALL_S = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.8
LARGEST = 16 * 1024 * 1024
Authorization = Callable[[], Awaitable[Mapping[str, str]]]


@contextmanager
def as_documented(name: str) -> Iterator[None]:
    """Turn what an answer of another form than the API's raises where it is read into BrokenAnswer."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BrokenAnswer(f"{name}'s answer is not as its documentation has it") from error


class Throttled(NoCapacity):
    """429: the call was turned away before anything was done."""


async def nobody() -> Mapping[str, str]:
    """No authorization."""
    return {}


class JsonApi:
    """One API. A try has `try_s` seconds, a call with all its repetitions `call_s`; pauses are parts of a try."""

    def __init__(
        self,
        name: str,
        pool: HttpPool,
        base_url: str,
        authorization: Authorization = nobody,
        *,
        try_s: float = TRY_S,
        call_s: float = CALL_S,
    ):
        self.name = name
        self._pool, self._base_url, self._authorization = pool, base_url.rstrip("/"), authorization
        self._try_s, self._call_s = try_s, call_s

    async def get(self, path: str, **query: str) -> Any:
        """Read; repeated until it succeeds or its time is over."""
        return await self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    async def call(self, method: str, path: str, body: Any = None, *, repeat: bool = True) -> Any:
        """The JSON of the answer, None where it has no body.

        `repeat` False: only what certainly did nothing (429, no connection) is tried again. Raises Overflow, or
        RequestRejected with the status for a 4xx.
        """
        started = time.monotonic()
        retrying = AsyncRetrying(
            stop=_OutOfTime(started, self._call_s),
            wait=self._pause_s,
            retry=retry_if_exception(lambda error: _harmless(error, repeat=repeat)),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                left_s = max(0.01, started + self._call_s - time.monotonic())
                return await self._try(method, path, body, min(self._try_s, left_s))
        raise TooSlow(f"{self.name} was given no try")

    async def unless_gone(self, method: str, path: str) -> None:
        """Call for a thing that may be there no more: a 404 is as good."""
        try:
            await self.call(method, path)
        except RequestRejected as error:
            if error.status != 404:
                raise

    async def _try(self, method: str, path: str, body: Any, limit_s: float) -> Any:
        try:
            async with asyncio.timeout(limit_s):
                return await self._exchange(method, path, body)
        except TimeoutError as error:
            raise TooSlow(f"{self.name} did not answer {method} within {limit_s:.0f} s") from error

    async def _exchange(self, method: str, path: str, body: Any) -> Any:
        sent = {**headers(accept="application/json"), **await self._authorization()}
        content = b"" if body is None else to_json(body)
        if content:
            sent["content-type"] = "application/json"
        with translated(self.name):
            response = await self._pool.send(method, self._base_url + path, headers=sent, content=content)
        try:
            if response.status_code >= 300:
                raise await self._outcome(response)
            raw = await read_bounded(response, LARGEST, self.name)
        finally:
            await response.aclose()
        if not raw.strip() and method != "GET":
            return None
        return json_body(raw, self.name)

    def _pause_s(self, state: RetryCallState) -> float:
        """As long as the API asks, else longer each time."""
        error = state.outcome.exception() if state.outcome else None
        asked_s = error.retry_after_s if isinstance(error, Overflow) else None
        if asked_s is not None:
            return asked_s + self._try_s * random.uniform(0.0, FIRST_PAUSE)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (state.attempt_number - 1))
        return self._try_s * pause * random.uniform(0.8, 1.2)

    async def _outcome(self, response: Answer) -> SpillwayError:
        """The words of the answer are left out: an API may repeat what it was sent, secrets included."""
        status, after_s = response.status_code, retry_after(response.headers)
        await error_body(response, self.name)
        if status == 429:
            return Throttled(f"{self.name} limits the rate of calls", retry_after_s=after_s)
        if 400 <= status < 500 and status != 408:
            return RequestRejected(f"{self.name} refused the call ({status})", status=status)
        return hosted_outcome(status, f"{self.name} failed", retry_after_s=after_s)


def _harmless(error: BaseException, *, repeat: bool) -> bool:
    if isinstance(error, Throttled) or (isinstance(error, Unreachable) and not error.arrived):
        return True
    return repeat and isinstance(error, Overflow)


class _OutOfTime(stop_base):
    """Stops where the pause before the next try would outlast the call's time."""

    def __init__(self, started: float, call_s: float):
        self._end = started + call_s

    def __call__(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= self._end
