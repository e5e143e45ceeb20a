"""Hears of the end of the process while there is still time to do something about it."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import FrameType

from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("spillway")

BEGIN_S, END_S = 6.0, 3.0
"""Of the ten seconds that Cloud Run gives an instance."""

PassOn = Callable[[], None]
"""Tells whoever would have heard of the end by himself."""


@contextmanager
def at_sigterm(told: Callable[[], object]) -> Iterator[None]:
    """Call `told` in the running loop when the process is asked to stop, before whoever is asked otherwise.

    A server tells its application only after the last connection is closed, which may take all of the time there is.
    """

    def both(pass_on: PassOn) -> None:
        told()
        pass_on()

    with instead_at_sigterm(both):
        yield


@contextmanager
def instead_at_sigterm(told: Callable[[PassOn], object]) -> Iterator[None]:
    """As `at_sigterm`, but nobody else hears of it until `told` passes it on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        loop.call_soon_threadsafe(told, partial(_pass_on, number, before))

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pass_on(number: int, handler: "Callable[[int, FrameType | None], object] | int | None") -> None:
    if callable(handler):
        handler(number, None)
    elif handler is signal.SIG_DFL:
        signal.signal(number, handler)
        os.kill(os.getpid(), number)


class Leaving:
    """The end of a process whose server has no lifespan, as that of functions-framework has none.

    `begin` is called as soon as the process is asked to stop, `end` once no call is under way any more. The server
    stops listening at once while calls are under way, and does not end before `end` has.

    Each call is made `async with` it; when the process is asked to stop meanwhile, that lasts until everything has been
    handed back.
    """

    def __init__(self, begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]):
        """Signals are heard from the first call on: before it there is no loop, and nothing to hand back."""
        self._begin, self._end = begin, end
        self._calls = 0
        self._idle = asyncio.Event()
        self._signals = ExitStack()
        self._listening = False
        self._leaving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        """A call begins."""
        self._listen()
        self._calls += 1
        self._idle.clear()

    async def __aexit__(self, *_: object) -> None:
        """A call is over."""
        self._calls -= 1
        if not self._calls:
            self._idle.set()
        if self._leaving:
            await asyncio.wait([self._leaving])

    def _listen(self) -> None:
        if not self._listening:
            self._listening = True
            self._signals.enter_context(instead_at_sigterm(self._told))

    def _told(self, pass_on: PassOn) -> None:
        if self._leaving:
            return
        leaving = self._leaving = asyncio.get_running_loop().create_task(self._leave())
        if self._calls:
            pass_on()
        else:
            # A server without calls would be gone before anything is handed back.
            leaving.add_done_callback(lambda _: pass_on())

    async def _leave(self) -> None:
        await _bounded(self._begin, BEGIN_S)
        await self._idle.wait()
        await _bounded(self._end, END_S)


async def _bounded(step: Callable[[], Awaitable[None]], within_s: float) -> None:
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await step()
    except Exception:
        # Whatever it is must not keep the process.
        log.exception("something was not handed back at the end")


class UntilHandedBack:
    """An ASGI application whose process leaves in order."""

    def __init__(self, app: ASGIApp, leaving: Leaving):
        self._app, self._leaving = app, leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        async with self._leaving:
            await self._app(scope, receive, send)
