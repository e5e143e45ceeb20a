"""A listening server that can be killed, come back on the same port, and be called from other threads."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar, Self, TypeVar

from aiohttp import web

from simulator.reply import DROPPED

T = TypeVar("T")
CALL_TIMEOUT_S = 10.0


class Listener:
    """The life of a server. Subclasses give the application and say what else must be let go."""

    name: ClassVar[str] = "listener"

    def __init__(self) -> None:
        """Nothing listens yet."""
        self.stopping = False
        self._open: dict[int, web.Request] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.AbstractServer | None = None
        self._address: tuple[str, int] | None = None
        self._thread = 0

    def application(self) -> web.Application:
        """What is served."""
        raise NotImplementedError

    async def closed(self) -> None:
        """Let go of what is held beside the listener."""

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end; it keeps its port over `kill` and `revive`."""
        if self._address is None:
            raise RuntimeError(f"{self.name} isn't started; use `async with simulator.serve():`")
        return f"http://{self._address[0]}:{self._address[1]}"

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Self]:
        """Listen for as long as the block lasts."""
        await self.start(host, port)
        try:
            yield self
        finally:
            await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self.stopping = False
        self._runner = web.AppRunner(
            self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        bound = _bind(host, port)
        self._address = (host, bound.getsockname()[1])
        await self._listen(bound)

    async def stop(self) -> None:
        """Cut every connection, end every task, and leave nothing behind; hung requests don't hold it up."""
        self.stopping = True
        self._kill()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.closed()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def kill(self) -> None:
        """Abort every connection at once and stop listening; from any thread."""
        self.call(self._kill)

    def revive(self) -> None:
        """Listen again on the same port; from any thread."""
        self.call(self._revive)

    def call(self, act: Callable[[], T]) -> T:
        """Run this in the server's own loop, from any thread, and wait for it."""
        if self._runner is None or threading.get_ident() == self._thread:
            return act()

        async def run() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(CALL_TIMEOUT_S)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the requests; it ends with the server."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def lose_all(self) -> None:
        """Close every request's connection without a byte more."""
        for request in list(self._open.values()):
            request[DROPPED] = True
            if request.transport is not None:
                request.transport.close()

    @property
    def _server(self) -> web.Server:
        if self._runner is None or self._runner.server is None:
            raise RuntimeError(f"{self.name} isn't started")
        return self._runner.server

    def _kill(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._runner is None:
            return
        for request in self._open.values():
            request[DROPPED] = True
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def _revive(self) -> None:
        if self._listener is None and self._address is not None:
            self.spawn(self._listen(_bind(*self._address)))

    async def _listen(self, bound: socket.socket) -> None:
        self._listener = await self._loop.create_server(self._server, sock=bound)


@contextmanager
def background(*listeners: Listener) -> Iterator[tuple[Listener, ...]]:
    """Run them in one thread with a loop of its own, for tests that aren't asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulators", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(CALL_TIMEOUT_S)

    with contextlib.ExitStack() as undo:
        undo.callback(loop.close)
        undo.callback(thread.join, CALL_TIMEOUT_S)
        undo.callback(loop.call_soon_threadsafe, loop.stop)
        for listener in listeners:
            run(listener.start())
            undo.callback(_stop, run, listener)
        yield listeners


def _stop(run: Callable[[Coroutine[Any, Any, None]], None], listener: Listener) -> None:
    run(listener.stop())


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket: the kernel takes connections from now on, even before the loop does."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.ExitStack() as undo:
        undo.callback(bound.close)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(1024)
        bound.setblocking(False)
        undo.pop_all()
    return bound
