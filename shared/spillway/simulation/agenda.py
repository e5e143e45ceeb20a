"""The virtual clock: what is due, in order."""

import heapq
import itertools
import math
from collections.abc import Callable


class Agenda:
    """Calls by their time, in seconds; equal times keep the order in which they were entered."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call at an instant; one that is past is now."""
        heapq.heappush(self._due, (max(when, self.now), next(self._order), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call some seconds from now."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), call))

    def run(self, until: float = math.inf) -> None:
        """Make the calls that are due before an instant, or all."""
        due = self._due
        while due and due[0][0] <= until:
            self.now, _, call = heapq.heappop(due)
            call()
        self.now = max(self.now, until) if until < math.inf else self.now
