"""A limit on calls in a span of time, as hosted APIs have them."""

from collections import deque
from collections.abc import Callable

LEAST_S = 0.001


class RateLimit:
    """So many calls in any span of seconds; one that is turned away does not count."""

    def __init__(self, now: Callable[[], float], calls: int, span_s: float = 60.0) -> None:
        """Nobody has called yet."""
        self.calls, self.span_s = calls, span_s
        self.limited = 0
        self._now = now
        self._taken: deque[float] = deque()

    def take(self) -> float:
        """How long until a call is taken; 0 for now, and then it counts."""
        now = self._now()
        while self._taken and now - self._taken[0] >= self.span_s:
            self._taken.popleft()
        if len(self._taken) < self.calls:
            self._taken.append(now)
            return 0.0
        self.limited += 1
        return self.resets_in()

    def left(self) -> int:
        """How many are taken now."""
        return max(0, self.calls - len(self._taken))

    def resets_in(self) -> float:
        """Until the oldest call no longer counts."""
        return max(LEAST_S, self._taken[0] + self.span_s - self._now()) if self._taken else 0.0


def retry_after(wait_s: float) -> dict[str, str]:
    """The header of those who tell whole seconds, one at the least."""
    return {"Retry-After": f"{max(1.0, wait_s):.0f}"}
