"""Sends the metrics of this process to a collector, where nobody comes to read them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from spillway.ports import Collector, Values

log = logging.getLogger("spillway.exporting")

LAST_S = 1.5
"""How long the last words may take: a process that is to end has little time."""


class Exporting:
    """Every so often from `begin` to `close`, and once more at its end. What can't be sent is left: totals come again.

    `values` gives those of the moment. `open_collector` is called when the first are due, in a thread.
    """

    def __init__(
        self, values: Callable[[], Awaitable[Values]], open_collector: Callable[[], Collector], *, every_s: float
    ):
        self._values, self._open, self._every_s = values, open_collector, every_s
        self._collector: Collector | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on, in the running loop; once it has begun, this does nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_on())

    async def close(self) -> None:
        """Send what is left, in bounded time."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._send()
        if self._collector:
            self._collector.close()

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self._send()

    async def _send(self) -> None:
        now = await self._values()
        try:
            await asyncio.to_thread(self._sent, now)
        except Exception as error:  # noqa: BLE001 (whatever a collector's library raises, requests are answered)
            log.warning("metrics can't be sent: %s: %s", type(error).__name__, error)

    def _sent(self, now: Values) -> None:
        self._collector = self._collector or self._open()
        self._collector.send(now)
