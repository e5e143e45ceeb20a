"""How hard the day's money presses: 0 where it will do, 1 where it ends long before the day does.

What was spent in the last quarter of an hour, half hour, hour and so on up to the day so far will probably be spent
again in as long a time to come: most things end about as far ahead as they began behind. The largest of these
forecasts is what is needed. An event of two hours in the evening so presses only once it could really spend all that
is left, where an hour's part of the day's money would fight it from its first minute.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator

SHORTEST_S = 900.0
SAMPLE_S = 60.0
PACE_S = 60.0
CALM, FULL = 0.5, 1.5


def pressure(need: float, left: float) -> float:
    """0 where half of what is left covers the need, 1 where one and a half times as much would not."""
    if left <= 0:
        return 1.0
    return min(1.0, max(0.0, (need / left - CALM) / (FULL - CALM)))


class SpendHistory:
    """What had been spent at each minute of a day; in between it is taken to have grown evenly."""

    def __init__(self, day_start: float):
        self._times = [day_start]
        self._spent = [0.0]

    def note(self, now: float, spent: float) -> None:
        """Take down what has been spent so far; more often than once a minute is not needed."""
        if now - self._times[-1] >= SAMPLE_S:
            self._times.append(now)
            self._spent.append(spent)

    def need(self, now: float, spent: float, left_s: float) -> float:
        """What will probably be spent in the `left_s` that remain of the day."""
        return max((spent - self._at(now - span)) * min(1.0, left_s / span) for span in self._spans(now))

    def _spans(self, now: float) -> Iterator[float]:
        whole = max(now - self._times[0], SHORTEST_S)
        span = SHORTEST_S
        while span < whole:
            yield span
            span *= 2
        yield whole

    def _at(self, when: float) -> float:
        after = bisect_right(self._times, when)
        if after == 0:
            return 0.0
        start, low = self._times[after - 1], self._spent[after - 1]
        if after == len(self._times):
            return low
        part = (when - start) / (self._times[after] - start)
        return low + part * (self._spent[after] - low)


class Pace:
    """What was spent in the last minute."""

    def __init__(self) -> None:
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float, micros: int) -> None:
        """One job more."""
        self._spent.append((now, micros))
        self._total += micros

    def total(self, now: float) -> int:
        """Their sum."""
        while self._spent and self._spent[0][0] < now - PACE_S:
            self._total -= self._spent.popleft()[1]
        return self._total
