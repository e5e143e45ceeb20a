"""Rings inside one process: the bell of `spillway serve`."""

import asyncio


class LocalBell:
    """Fulfils ports.announcements.Bell for an announcer in this process, who waits for it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    async def ring(self) -> None:
        """Wake the announcer; before it has come, once is as good as often."""
        self._rung.set()

    async def heard(self, within_s: float) -> None:
        """Wait until it rings, for so long at most."""
        try:
            async with asyncio.timeout(within_s):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

    async def close(self) -> None:
        """Nothing is open."""
