"""The line of those who are patient at a gate: one is at its head, and after him whoever has the first place."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush


class Line:
    """A line by places, which are compared as texts (domain.fairness.place); among equals who came first is first."""

    def __init__(self) -> None:
        self._headed = False
        self._waiting: list[tuple[str, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    @asynccontextmanager
    async def head(self, place: str) -> AsyncIterator[None]:
        """Inside, one is at the head, where nobody comes before however small his place is."""
        if self._headed:
            await self._come_up(place)
        self._headed = True
        try:
            yield
        finally:
            self._next()

    async def _come_up(self, place: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (place, next(self._count), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        """Whoever has left the line meanwhile is passed over."""
        while self._waiting:
            *_, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._headed = False
