"""The usual answers: a circuit breaker, routing by the success rate, Google's adaptive throttling, AIMD."""

from random import Random

from policies.always import AlwaysTry
from spillway.domain.controller import Ended


class Breaker(AlwaysTry):
    """Opens after 5 failures in a row for 30 s, then lets one try through."""

    FAILURES, PAUSE_S = 5, 30.0

    def __init__(self, kill_s: float):
        super().__init__(kill_s)
        self._row = 0
        self._until = 0.0
        self._probing = False

    def admit(self, now: float) -> bool:
        if self._row < self.FAILURES:
            return True
        if now < self._until or self._probing:
            return False
        self._probing = True
        return True

    def learn(self, how: Ended, now: float) -> None:
        if how is Ended.SERVED:
            self._row, self._probing = 0, False
            return
        self._row += 1
        if self._row >= self.FAILURES:
            self._until, self._probing = now + self.PAUSE_S, False


class SuccessRate(AlwaysTry):
    """Tries a share of the requests that is equal to the rate of success (moving average), 5 % at least."""

    def __init__(self, kill_s: float, chance: Random, weight: float = 0.05):
        super().__init__(kill_s)
        self._chance, self._weight = chance, weight
        self._rate = 1.0

    def admit(self, now: float) -> bool:
        return self._chance.random() < max(0.05, self._rate)

    def learn(self, how: Ended, now: float) -> None:
        self._rate += self._weight * ((how is Ended.SERVED) - self._rate)


class Throttling(AlwaysTry):
    """Adaptive throttling of the SRE book: rejects with (requests - K accepts) / (requests + 1), over 2 minutes."""

    def __init__(self, kill_s: float, chance: Random, k: float = 2.0, window_s: float = 120.0):
        super().__init__(kill_s)
        self._chance, self._k, self._window_s = chance, k, window_s
        self._requests, self._accepts, self._at = 0.0, 0.0, 0.0

    def admit(self, now: float) -> bool:
        self._fade(now)
        reject = (self._requests - self._k * self._accepts) / (self._requests + 1)
        self._requests += 1
        return self._chance.random() >= reject

    def learn(self, how: Ended, now: float) -> None:
        self._fade(now)
        self._accepts += how is Ended.SERVED

    def _fade(self, now: float) -> None:
        fade = 0.5 ** ((now - self._at) / self._window_s)
        self._requests, self._accepts, self._at = self._requests * fade, self._accepts * fade, now


class Aimd(AlwaysTry):
    """A limit on open tries, as Netflix's AIMDLimit: one more for a success while half of it is used, a tenth less
    for a failure."""

    def __init__(self, kill_s: float):
        super().__init__(kill_s)
        self._limit = 4.0

    def admit(self, now: float) -> bool:
        return self.open < int(self._limit)

    def learn(self, how: Ended, now: float) -> None:
        if how is not Ended.SERVED:
            self._limit = max(1.0, self._limit * 0.9)
        elif 2 * (self.open + 1) >= self._limit:
            self._limit = min(64.0, self._limit + 1.0)

    @property
    def limit(self) -> float:
        return self._limit
