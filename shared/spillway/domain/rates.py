"""How many requests a second one key may make, over any number of instances.

All instances draw on one bucket a key: it fills by `rate` tokens a second up to `burst`, and a request takes one. An
instance takes tokens out by compare-and-set: for requests that have come, and a second's worth ahead where they come
fast, so that few requests wait for the store. What it took and did not use within `HOLD_S` is dropped. A first request
after a rest goes ahead of its token and pays at once after, as the store would cost it more than it is worth.

So over any time T, all instances together let through at most

    burst + rate * (T + HOLD_S + d) + instances

where d is how far their clocks are apart: tokens used in T were taken at most HOLD_S before, the bucket never gives
more than burst + rate * time by the clock that is furthest ahead, and each instance is one request ahead at most.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.callers import Limits
from spillway.errors import StoreUnavailable

VERSION = 1
HOLD_S = 2.0
AHEAD_S = 1.0
GAP_S = 0.5
"""Between looks at a bucket where nobody waits, or there was nothing: one document takes few writes a second."""
TAKER_S = 60.0
WRONG_CLOCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens of a key at an epoch second; `takers` are the instances that took some, and when they last did."""

    level: float
    at: float
    takers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Bucket":
        """As `body` gives it. Raises StoreUnavailable for a bucket of a later release."""
        if body.get("version") != VERSION:
            raise StoreUnavailable(f"the bucket has version {body.get('version')}, this release knows {VERSION}")
        return cls(body["level"], body["at"], body["takers"])

    def body(self) -> dict[str, Any]:
        """As `read` takes it."""
        return {"version": VERSION, "level": self.level, "at": self.at, "takers": dict(self.takers)}

    def filled(self, limits: Limits, now: float) -> "Bucket":
        """With what has come in since. A clock that is behind adds nothing; one that was far ahead is not believed."""
        if self.at > now + WRONG_CLOCK_S:
            return Bucket(self.level, now, self.takers)
        passed_s = max(0.0, now - self.at)
        level = min(float(limits.burst), self.level + passed_s * (limits.rate or 0.0))
        return Bucket(level, max(self.at, now), self.takers)

    def drawn(self, count: int, name: str, now: float) -> "Bucket":
        """After an instance has taken this many."""
        recent = {one: at for one, at in self.takers.items() if abs(now - at) < TAKER_S}
        return Bucket(self.level - count, self.at, {**recent, name: now})

    def seconds_to(self, limits: Limits) -> float:
        """Until there is a whole token; 0 where there is one."""
        return max(0.0, (1.0 - self.level) / (limits.rate or math.inf))


def full(limits: Limits, now: float) -> Bucket:
    """The bucket of a key that was never used."""
    return Bucket(float(limits.burst), now)


class Allotment:
    """What one instance holds of a key's tokens, each for `HOLD_S` at most.

    `owed` is whether a request has gone ahead of its token. `empty_until` is when the bucket may have a token again, as
    far as this instance knows.
    """

    def __init__(self) -> None:
        self.owed = 0
        self.empty_until = self._quiet_until = float("-inf")
        self._held: deque[tuple[float, int]] = deque()
        self._second = self._asked = self._asked_before = 0

    def stock(self, now: float) -> int:
        """The tokens that may be used."""
        # A clock that was set back makes tokens look new for as long as it was set back.
        while self._held and not 0 <= now - self._held[0][0] <= HOLD_S:
            self._held.popleft()
        return sum(count for _, count in self._held)

    def ask(self, now: float) -> bool:
        """Whether a request may go on without a look at the bucket."""
        self._count(now)
        if self.use(now):
            return True
        ahead = self.owed == 0 and now >= self.empty_until
        self.owed += ahead
        return ahead

    def use(self, now: float) -> bool:
        """Use a token, the oldest first; False where none is held."""
        if not self.stock(now):
            return False
        at, count = self._held.popleft()
        if count > 1:
            self._held.appendleft((at, count - 1))
        return True

    def _count(self, now: float) -> None:
        second = math.floor(now / AHEAD_S)
        if second != self._second:
            self._asked_before = self._asked if second == self._second + 1 else 0
            self._second, self._asked = second, 0
        self._asked += 1

    def is_low(self, now: float) -> bool:
        """Whether it is time to look at the bucket."""
        return self.owed > 0 or (
            now >= max(self.empty_until, self._quiet_until) and 2 * self.stock(now) < self._ahead()
        )

    def _ahead(self) -> int:
        """Tokens to hold: as many as were asked for in a second, none where that is only one."""
        pace = max(self._asked, self._asked_before)
        return pace if pace > 1 else 0

    def wanted(self, bucket: Bucket, waiting: int, now: float) -> int:
        """How many to take: what is owed even where the bucket has none, and of the rest what it holds."""
        more = max(waiting, self._ahead() - self.stock(now))
        left = math.floor(bucket.level - self.owed + 1e-9)
        # Not all of it where nobody waits: others may need some.
        return self.owed + max(0, min(more, left if waiting else math.ceil(left / 2)))

    def got(self, count: int, paid: int, left: Bucket, limits: Limits, now: float) -> None:
        """After tokens were taken, some of them to pay what was owed, and this is left in the bucket."""
        self.owed -= paid
        if count > paid:
            self._held.append((now, count - paid))
        wait_s = left.seconds_to(limits)
        gap_s = min(GAP_S, limits.burst / 2 / (limits.rate or math.inf))
        self.empty_until = now + max(wait_s, gap_s) if wait_s else float("-inf")
        self._quiet_until = now + gap_s


def part(limits: Limits, instances: int) -> Limits:
    """What each of so many instances may let through by itself while they can't reach the bucket."""
    return Limits((limits.rate or 0.0) / max(1, instances), max(1, limits.burst // max(1, instances)))
