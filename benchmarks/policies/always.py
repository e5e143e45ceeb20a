"""Always try the subnet first; give a try up after 30 s (a picture) or 120 s (a video)."""

import math
from collections.abc import Mapping
from typing import Any

from spillway.domain.controller import Action, Actions, Ended


class AlwaysTry:
    """Also the base of the others: `admit` decides, nobody waits, nothing is hedged."""

    def __init__(self, kill_s: float):
        self.kill_s = kill_s
        self.open = 0

    def admit(self, now: float) -> bool:
        return True

    def learn(self, how: Ended, now: float) -> None:
        """Nothing."""

    def arrive(self, key: int, now: float) -> Actions:
        if self.admit(now):
            self.open += 1
            return [Action(key, "subnet", "room")]
        return [Action(key, "fallback", "full")]

    def ended(self, key: int, how: Ended, now: float) -> Actions:
        self.open -= 1
        self.learn(how, now)
        return []

    def beaten(self, key: int, now: float) -> Actions:
        return []

    def hosted_began(self, key: int, now: float) -> None:
        """A hosted job starts."""

    def hosted_ended(self, key: int, seconds: float | None, now: float) -> None:
        """Nothing."""

    def leave(self, key: int, now: float) -> Actions:
        return []

    def tick(self, now: float) -> Actions:
        return []

    def wake_at(self) -> float:
        return math.inf

    def hedge_s(self) -> float:
        return math.inf

    def may_hedge(self, key: int, now: float) -> bool:
        return False

    def patience_s(self) -> float:
        return self.kill_s

    def report(self, now: float) -> Mapping[str, Any]:
        return {}

    def merge(self, reports: Mapping[str, Mapping[str, Any]], now: float) -> Actions:
        return []

    @property
    def limit(self) -> float:
        return math.inf

    @property
    def waiting(self) -> int:
        return 0
