"""Work for a caller lasts as long as the caller stays: when the connection closes, it is cancelled."""

import asyncio
from types import TracebackType

from starlette.types import Receive

from spillway.edge.bodies import CallerGone

# Before this, there is little to save by stopping, and a task to watch costs more than many an answer.
WATCH_AFTER_S = 0.2


class while_present:  # noqa: N801 (reads as what it does, like asyncio's timeout)
    """Cancel what runs inside when the caller leaves; it ends as CallerGone then."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (only entered in a handler)
        self._task = task
        self._starting = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._start)

    def _start(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._starting.cancel()
        if self._watcher:
            self._watcher.cancel()
        if self._gone and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise CallerGone from error
