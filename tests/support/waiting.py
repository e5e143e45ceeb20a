"""Waits until something is so, and fails where it is not in time."""

import asyncio
import inspect
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import httpx

T = TypeVar("T")
LOOK_EVERY_S = 0.02
START_S = 60.0


def until(look: Callable[[], T], within_s: float = 30.0) -> T:
    """What `look` gives, once that is true."""
    end = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < end, f"not so within {within_s:g} s"
        time.sleep(LOOK_EVERY_S)
    return seen


async def eventually(
    look: Callable[[], T | Awaitable[T]], within_s: float = 30.0, *, every_s: float = LOOK_EVERY_S
) -> T:
    """The same inside an event loop; `look` may be a coroutine function."""
    end = time.monotonic() + within_s
    while not (seen := await _seen(look)):
        assert time.monotonic() < end, f"not so within {within_s:g} s"
        await asyncio.sleep(every_s)
    return seen


async def _seen(look: Callable[[], T | Awaitable[T]]) -> T:
    seen = look()
    return await seen if inspect.isawaitable(seen) else seen


def until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait for a process that was started to take connections."""

    def listens() -> bool:
        _assert_lives(process)
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10):
            return True
        return False

    until(listens, START_S)


def until_it_answers(process: "subprocess.Popen[bytes]", url: str, *, status: int | None = None) -> None:
    """Wait for a process that was started to serve this URL: with this status, or with any."""

    def answers() -> bool:
        _assert_lives(process)
        with suppress(httpx.HTTPError):
            return status in (None, httpx.get(url, timeout=10, trust_env=False).status_code)
        return False

    until(answers, START_S)


def _assert_lives(process: "subprocess.Popen[bytes]") -> None:
    assert process.poll() is None, f"{process.args} has ended with {process.returncode}"
