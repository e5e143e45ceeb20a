"""How many requests may wait for a slot: as many as are worth it to all of them together (Naor, 1969).

Everybody who joins a queue makes those behind him wait longer, so where more comes than can be carried, long waits
cost seconds and win no slot: a few waiting requests keep every slot busy. Where there is room, waiting is rare and
worth it.
"""

import math
from functools import lru_cache

LONGEST = 64
REGULAR = 0.3
"""Jobs vary far less than the exponential ones of the formula, so a wait is shorter and more certain than it says."""


def worthwhile_queue(load: float, slots: float, second_price: float) -> int:
    """How long the queue may grow that gains most.

    `load` is the offered load in Erlang, `second_price` what waiting for the time of one job costs, as a part of
    what a job gains on the subnet. Both are rounded to steps of 15 %, so that the answer is mostly remembered.
    """
    return _best_queue(_stepped(load, 0.01), max(1, round(slots)), _stepped(second_price * REGULAR, 1e-4))


def _stepped(value: float, least: float) -> float:
    return float(1.15 ** round(math.log(max(value, least)) / math.log(1.15)))


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
    """How many requests come a second, over the last half minute or so."""

    OVER_S = 30.0

    def __init__(self) -> None:
        self._rate, self._at = 0.0, 0.0

    def came(self, now: float) -> None:
        """A request came."""
        self._rate, self._at = self.rate(now) + 1.0 / self.OVER_S, now

    def rate(self, now: float) -> float:
        """Requests a second."""
        return self._rate * math.exp(-max(0.0, now - self._at) / self.OVER_S)
