"""Whose turn it is in a lane: callers take turns, whatever the number of their jobs (start-time fair queueing).

P. Goyal, H. M. Vin, H. Cheng: Start-time Fair Queueing, 1996, with jobs of equal length: a job's rank is its start
tag. A caller's next job ranks one behind its last, and never before the lane's head; so a newcomer's first job stands
behind at most one job of each other caller, and nobody saves up turns.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spillway.domain.jobs import Job


def rank(head: int | None, own_last: int | None) -> int:
    """The rank of a new job: `head` is the rank of the lane's first job, `own_last` that of its caller's last."""
    return max(head or 0, 0 if own_last is None else own_last + 1)


def place(job: Job) -> str:
    """A text that sorts as (rank, created_at, id) do, so that every store can order and compare by one value."""
    return f"{job.rank:010d} {job.created_at:017.6f} {job.id}"


class Turns:
    """The turns that one process gives to jobs which it adds side by side.

    None of them sees the others in the store yet: without this, they would all get one rank, and with it one turn.
    """

    def __init__(self) -> None:
        self._adding: Counter[tuple[str, str]] = Counter()
        self._given: dict[tuple[str, str], int] = {}

    @contextmanager
    def taking(self, lane: str, caller: str) -> Iterator[Callable[[int | None, int | None], int]]:
        """`rank`, for one job: asked inside after the store was looked at, and left when the job is there."""
        key = (lane, caller)
        self._adding[key] += 1
        try:
            yield lambda head, own_last: self._next(key, head, own_last)
        finally:
            self._adding[key] -= 1
            if not self._adding[key]:
                del self._adding[key]
                self._given.pop(key, None)

    def _next(self, key: tuple[str, str], head: int | None, own_last: int | None) -> int:
        last = [one for one in (own_last, self._given.get(key)) if one is not None]
        self._given[key] = rank(head, max(last, default=None))
        return self._given[key]
