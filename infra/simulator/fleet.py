"""Instances of a hosted model: warm while they are used or kept, cold after a minute of idleness."""

import asyncio
from collections import deque

from simulator.clock import Clock

IDLE_S = 60.0


class Fleet:
    """The instances of one model or deployment. `least` of them are kept warm, at most `most` run (None: no limit)."""

    def __init__(self, clock: Clock, cold_start_s: float, *, least: int = 0, most: int | None = None) -> None:
        """Instances that are kept warm are up from the start."""
        self._clock = clock
        self._cold_start_s = cold_start_s
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._kept_s = 0.0
        self._kept_since = clock.now()
        self.least, self.most = least, most
        self.cold_starts = 0
        self._online_s, self._counted_s = 0.0, clock.now()
        # When each idle instance became free, or will have started.
        self._idle = [clock.now()] * least

    @property
    def warm(self) -> int:
        """Instances that run, busy or idle."""
        self._let_go()
        return self._busy + len(self._idle)

    @property
    def kept_warm_s(self) -> float:
        """Instance seconds that `least` has cost so far."""
        return self._kept_s + self.least * (self._clock.now() - self._kept_since)

    @property
    def online_s(self) -> float:
        """Seconds of all instances that were up so far, from the beginning of their start to their end."""
        self._let_go()
        return self._online_s

    def resize(self, least: int, most: int | None) -> None:
        """Other limits from now on; new warm instances take a cold start to come up."""
        self._let_go()
        self._kept_s, self._kept_since = self.kept_warm_s, self._clock.now()
        self.least, self.most = least, most
        lacking = max(0, least - self.warm)
        self._idle += [self._clock.now() + self._cold_start_s] * lacking
        self.cold_starts += lacking
        self._hand_on()

    async def acquire(self) -> None:
        """Wait for an instance to run on."""
        self._let_go()
        while not self._idle and self.most is not None and self._busy >= self.most:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._hand_on()
                raise
        if self._idle:
            wait_s = max(0.0, self._idle.pop(self._warmest()) - self._clock.now())
        else:
            wait_s = self._cold_start_s
            self.cold_starts += 1
        self._busy += 1
        try:
            await self._clock.sleep(wait_s)
        except asyncio.CancelledError:
            self.release()
            raise

    def release(self) -> None:
        """The instance is idle again."""
        self._count()
        self._busy -= 1
        self._idle.append(self._clock.now())
        self._hand_on()

    def _warmest(self) -> int:
        """The one that has been ready longest is taken last, so that the others can go."""
        now = self._clock.now()
        ready = [(since if since <= now else -since, index) for index, since in enumerate(self._idle)]
        return max(ready)[1]

    def _let_go(self) -> None:
        now, counted_s = self._clock.now(), self._counted_s
        self._count()
        self._idle.sort()
        while self._idle and self._busy + len(self._idle) > self.least and now - self._idle[0] > IDLE_S:
            gone_s = max(counted_s, self._idle.pop(0) + IDLE_S)
            self._online_s -= max(0.0, now - gone_s)

    def _count(self) -> None:
        now = self._clock.now()
        self._online_s += (self._busy + len(self._idle)) * (now - self._counted_s)
        self._counted_s = now

    def _hand_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
