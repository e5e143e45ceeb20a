"""The orchestrators' slots: so many jobs of a pipeline at once, and a short wait for one that comes free."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping

Capacity = int | Mapping[str, int]


class Slots:
    """Slots of each pipeline. A whole number stands for so many of every pipeline; a mapping names them all."""

    def __init__(self, capacity: Capacity) -> None:
        """All of them free."""
        self.capacity = capacity
        self._taken: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)

    def total(self, pipeline: str) -> int:
        """How many there are for a pipeline."""
        return self.capacity if isinstance(self.capacity, int) else self.capacity.get(pipeline, 0)

    def free(self, pipeline: str) -> int:
        """How many of them are free; below zero after a fall, while jobs in flight run on."""
        return self.total(pipeline) - self._taken[pipeline]

    async def take(self, pipeline: str, wait_s: float) -> bool:
        """Take a slot, waiting this long (real seconds) for one in the order of coming."""
        if self.free(pipeline) > 0 and not self._waiting[pipeline]:
            self._taken[pipeline] += 1
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting[pipeline].append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), wait_s)
        except TimeoutError:
            return self._settled(pipeline, turn)
        except asyncio.CancelledError:
            if self._settled(pipeline, turn):
                self.give(pipeline)
            raise
        return True

    def give(self, pipeline: str) -> None:
        """Give a slot back; whoever waits longest gets it."""
        self._taken[pipeline] -= 1
        self._serve(pipeline)

    def resize(self, capacity: Capacity) -> None:
        """Other numbers from now on; jobs in flight run on."""
        self.capacity = capacity
        for pipeline in list(self._waiting):
            self._serve(pipeline)

    def summary(self) -> dict[str, int]:
        """Slots taken, by pipeline."""
        return {pipeline: taken for pipeline, taken in self._taken.items() if taken}

    def _serve(self, pipeline: str) -> None:
        waiting = self._waiting[pipeline]
        while waiting and self.free(pipeline) > 0:
            turn = waiting.popleft()
            if not turn.done():
                self._taken[pipeline] += 1
                turn.set_result(None)

    def _settled(self, pipeline: str, turn: asyncio.Future[None]) -> bool:
        """Whether the turn came at the last moment; if not, leave the queue."""
        if turn.done():
            return True
        turn.cancel()
        if turn in self._waiting[pipeline]:
            self._waiting[pipeline].remove(turn)
        return False
