"""What other instances have last reported. Reports are states, not changes: a lost or doubled one does no harm."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = 1
FRESH_S = 30.0
LEAN_S = 6.0


class Peers:
    """The latest report of each other instance, by its id. Taking reports in is commutative and idempotent."""

    def __init__(self) -> None:
        self._reports: dict[str, Mapping[str, Any]] = {}
        self._mean: Sequence[float] = ()
        self._until = -math.inf

    def __len__(self) -> int:
        return len(self._reports)

    def take(self, reports: Mapping[str, Mapping[str, Any]], now: float) -> None:
        """Keep the newest report of each instance; forget those that have been silent, or speak another version."""
        for name, report in reports.items():
            known = self._reports.get(name)
            if report.get("version") == VERSION and (known is None or report["at"] >= known["at"]):
                self._reports[name] = report
        self._forget(now)

    def _forget(self, now: float) -> None:
        live = {name: report for name, report in self._reports.items() if now - report["at"] < FRESH_S}
        self._reports = live
        self._until = min((report["at"] for report in live.values()), default=math.inf) + FRESH_S
        self._mean = _mean([live[name]["slots"] for name in sorted(live)])

    def belief(self, now: float) -> Sequence[float]:
        """What the live ones believe about slots, on average; empty where there is nobody."""
        if now >= self._until:
            self._forget(now)
        return self._mean


def _mean(beliefs: Sequence[Sequence[float]]) -> Sequence[float]:
    if not beliefs:
        return ()
    size = max(map(len, beliefs))
    columns = zip(*([*belief, *([0.0] * (size - len(belief)))] for belief in beliefs), strict=True)
    return [sum(column) / len(beliefs) for column in columns]


def leaning(seconds: float) -> float:
    """How far an instance comes towards the others in this time: 0 for no time at all, never all the way."""
    return 1.0 - math.exp(-max(0.0, seconds) / LEAN_S)
