"""One deadline a request: made at the edge, passed down, and divided between the backends still to be tried."""

from dataclasses import dataclass

WAIT_PART = 0.5
"""The part of the time that is left which a request may spend waiting for a slot."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment (monotonic seconds) at which the caller must have an answer."""

    at: float

    def left(self, now: float) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - now)


def share(left_s: float, *, limit_s: float | None, more: int) -> float:
    """How long a try may take: its own limit, and at most half of what is left while `more` backends may follow.

    So a backend that hangs never eats the time that the next one needs to answer.
    """
    allowed = left_s / 2 if more else left_s
    return min(allowed, limit_s) if limit_s is not None else allowed
