"""A limit on calls a minute, as hosted APIs have them."""

from collections import deque
from collections.abc import Callable


class RateLimit:
    """So many calls in any minute; one that is turned away does not count."""

    def __init__(self, now: Callable[[], float], calls_a_minute: int) -> None:
        """Nobody has called yet."""
        self.calls_a_minute = calls_a_minute
        self.limited = 0
        self._now = now
        self._calls: deque[float] = deque()

    def take(self) -> float:
        """How long until a call is taken; 0 for now, and then it counts."""
        now = self._now()
        while self._calls and now - self._calls[0] >= 60.0:
            self._calls.popleft()
        if len(self._calls) < self.calls_a_minute:
            self._calls.append(now)
            return 0.0
        self.limited += 1
        return max(1.0, 60.0 - (now - self._calls[0]))
