"""How many requests may wait for a slot: as many as are worth it to all of them together (Naor, 1969).

Everybody who joins a queue makes those behind him wait longer, so where more comes than can be carried, long waits
cost seconds and win no slot: a few waiting requests keep every slot busy. Where there is room, waiting is rare and
worth it.
"""

import math
from functools import lru_cache

from spillway.domain.rounding import rounded

LONGEST = 64
STEP, LEAST_LOAD, LEAST_PRICE = 1.15, 0.3, 1e-4
"""The load is taken to be at least that part of the slots: with less, all queues gain the same, next to nothing."""
REGULAR = 0.4
"""Jobs vary far less than the exponential ones of the formula, so a wait is shorter and more certain than it says."""


def worthwhile_queue(load: float, slots: float, second_price: float) -> int:
    """How long the queue may grow that gains most.

    `load` is the offered load in Erlang, `second_price` what waiting for the time of one job costs, as a part of
    what a job gains on the subnet. Both are rounded to steps of 15 %, so that the answer is mostly remembered.
    """
    servers = max(1, round(slots))
    load, second_price = max(load, LEAST_LOAD * servers), max(second_price * REGULAR, LEAST_PRICE)
    return _best_queue(rounded(load, STEP), servers, rounded(second_price, STEP))


@lru_cache(maxsize=4096)
def _best_queue(load: float, slots: int, second_price: float) -> int:
    """From the stationary distribution of M/M/c/c+K: served jobs less the price of those that wait."""
    weight, total = 1.0, 1.0
    for n in range(1, slots + 1):
        weight *= load / n
        total += weight
        if total > 1e200:
            weight, total = weight * 1e-200, total * 1e-200
    ratio = load / slots
    best, best_gain, waiting = 0, load * (1 - weight / total), 0.0
    for k in range(1, LONGEST + 1):
        weight *= ratio
        total += weight
        waiting += k * weight
        gain = load * (1 - weight / total) - second_price * waiting / total
        if gain <= best_gain:
            break
        best, best_gain = k, gain
    return best


class Demand:
    """How many requests come a second: of late, and for long. Times count in jobs, as that is what who waits waits for.

    What is more than comes for long is taken to pass soon: those who then wait keep the slots busy when it does. So
    the queue is longer in a burst than where as much comes all the time.
    """

    LATELY, LONG = 2.0, 50.0

    def __init__(self) -> None:
        self._lately = self._long = 0.0
        self._at = -math.inf

    def came(self, now: float, job_s: float) -> None:
        """A request came; jobs take so long."""
        self._fade(now, job_s)
        self._lately += 1.0 / self.LATELY
        self._long += 1.0 / self.LONG

    def load(self, now: float, job_s: float) -> float:
        """What comes in the time of one job, and is likely to go on."""
        self._fade(now, job_s)
        return min(self._lately, self._long)

    def _fade(self, now: float, job_s: float) -> None:
        jobs = max(0.0, now - self._at) / job_s
        self._at = max(now, self._at)
        self._lately *= math.exp(-jobs / self.LATELY)
        self._long *= math.exp(-jobs / self.LONG)
