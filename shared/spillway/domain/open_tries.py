"""The tries that are open: what is known exactly, apart from what is estimated. Seconds."""

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from spillway.domain.crowd import Elsewhere


@dataclass(slots=True)
class OpenTry:
    """A try whose connection is open: how many were open beside it when it began, and the risk that was taken.

    `crowd` is what other instances did; None where there were none.
    """

    began: float
    others: int
    risk: float
    freed_before: int = 0
    admitted: bool = False
    beaten: bool = False
    crowd: Elsewhere | None = None


class OpenTries:
    """Open tries by their key, and ghosts: jobs whose connection we closed but which still hold a slot."""

    def __init__(self) -> None:
        self._by_key: dict[int, OpenTry] = {}
        self._unproven: deque[int] = deque()
        self._ghosts: list[float] = []
        self.freed = 0
        """How many have left a slot, ever."""

    def __getitem__(self, key: int) -> OpenTry:
        return self._by_key[key]

    def __iter__(self) -> Iterator[OpenTry]:
        return iter(self._by_key.values())

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._by_key)

    @property
    def places(self) -> int:
        """How many slots are held or sought."""
        return len(self._by_key) + len(self._ghosts)

    def begin(self, key: int, now: float, risk: float, crowd: Elsewhere | None = None) -> None:
        """A try starts."""
        self._by_key[key] = OpenTry(now, self.places, risk, self.freed, crowd=crowd)
        self._unproven.append(key)

    def end(self, key: int) -> OpenTry:
        """Its connection ended."""
        return self._by_key.pop(key)

    def haunt(self, until: float) -> None:
        """A job of which nothing more is heard holds a slot for as long as this."""
        bisect.insort(self._ghosts, until)

    def passed(self, now: float) -> None:
        """Ghosts whose time is up are gone."""
        del self._ghosts[: bisect.bisect_right(self._ghosts, now)]

    def unproven(self) -> OpenTry | None:
        """The oldest try of which it is not known yet whether it has a slot."""
        while self._unproven:
            tried = self._by_key.get(self._unproven[0])
            if tried is not None and not tried.admitted and not tried.beaten:
                return tried
            self._unproven.popleft()
        return None

    def older(self, tried: OpenTry) -> int:
        """How many are open that began no later."""
        return sum(other.began <= tried.began for other in self)

    def risks(self) -> float:
        """The risks under way: of tries that are not decided yet."""
        return sum(tried.risk for tried in self if not tried.admitted)

    def silent(self) -> bool:
        """Whether nothing is open that might still answer in time."""
        return all(tried.beaten for tried in self)
