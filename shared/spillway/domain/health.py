"""Whether the subnet is well: faults, not fullness. Also when to look again at one that is not. Seconds."""

import math
from random import Random

HALF_LIFE_S = 120.0
WELL = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 5.0
SPREAD = 0.2


class Health:
    """Good and bad ends, fading away; `hangs` are the bad ones that never answered."""

    def __init__(self) -> None:
        self._good, self._bad, self.hangs = WELL, 0.0, 0.0

    @property
    def rate(self) -> float:
        """The part of the tries with a slot that end well."""
        return self._good / (self._good + self._bad)

    @property
    def ill(self) -> bool:
        """Whether more fail than not."""
        return self.rate < 0.5

    def passed(self, seconds: float, job_s: float) -> None:
        """Time goes by: old news fade."""
        fade = 0.5 ** (seconds / max(HALF_LIFE_S, 10 * job_s))
        self._good = WELL + (self._good - WELL) * fade
        self._bad *= fade
        self.hangs *= fade

    def good(self) -> None:
        """A try was served."""
        self._good += 1.0

    def failed(self, *, hung: bool) -> None:
        """A try failed, or never answered."""
        self._bad += 1.0
        self.hangs += hung


class Probing:
    """When a subnet that is down is looked at again: one try at a time, after pauses that double."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._pause_s = FIRST_PAUSE_S
        self.next_at = -math.inf
        self.key: int | None = None

    def due(self, now: float) -> bool:
        """Whether a probe may start."""
        return self.key is None and now >= self.next_at

    def failed(self, now: float, probe_s: float) -> None:
        """A look brought nothing. A probe that itself takes `probe_s` until it is given up shortens the pause."""
        longest_s = max(FIRST_PAUSE_S, LONGEST_PAUSE_S - probe_s)
        self.next_at = now + min(self._pause_s, longest_s) * self._chance.uniform(1 - SPREAD, 1 + SPREAD)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def asked(self, now: float, until: float) -> None:
        """The subnet itself has said when it may be asked again: its word is better than a guess."""
        self.next_at = min(self.next_at, max(until, now + FIRST_PAUSE_S))

    def over(self, key: int) -> bool:
        """A try is over; gives whether it was the probe."""
        was = key == self.key
        if was:
            self.key = None
        return was

    def alive(self) -> None:
        """The subnet serves."""
        self._pause_s = FIRST_PAUSE_S
