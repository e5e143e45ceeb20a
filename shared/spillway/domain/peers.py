"""What other instances have last reported. Reports are states, not changes: a lost or doubled one does no harm."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from spillway.domain.crowd import Elsewhere, elsewhere

VERSION = 1
FRESH_S = 30.0
LEAN_S = 6.0
MOST_SLOTS = 4096


@dataclass(frozen=True, slots=True, order=True)
class Report:
    """What one instance knew: when, the probability of each number of slots, its jobs' mean and 95 % quantile, how
    long the gateway keeps a try, its load: how many tries it begins while a job lasts, and whether it has left and
    begins none any more; `open` are its tries, -1 where it does not say. The newest is the greatest.
    """

    at: float
    slots: tuple[float, ...]
    job_s: tuple[float, float]
    refusal_s: float
    load: float = 0.0
    left: bool = False
    open: int = -1


def read_report(raw: Any) -> Report | None:
    """A report that this version understands; None for anything else that a store may hold."""
    try:
        if raw["version"] != VERSION or len(raw["slots"]) > MOST_SLOTS:
            return None
        mean_s, p95_s = raw["job_s"]
        report = Report(
            at=float(raw["at"]),
            slots=tuple(map(float, raw["slots"])),
            job_s=(float(mean_s), float(p95_s)),
            refusal_s=float(raw["refusal_s"]),
            # Earlier revisions don't tell these.
            load=float(raw["load"]) if "load" in raw else 0.0,
            left="left" in raw and raw["left"] is True,
            open=int(raw["open"]) if "open" in raw else -1,
        )
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None
    return report if _makes_sense(report) else None


def _makes_sense(report: Report) -> bool:
    numbers = (report.refusal_s, report.load, *report.job_s, *report.slots)
    finite = math.isfinite(report.at) and all(0.0 <= number < math.inf for number in numbers)
    return finite and 0.5 < sum(report.slots) < 2.0


class Peers:
    """The latest report of each other instance, by its id. Taking reports in is commutative and idempotent."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._present: list[Report] = []
        self._mean: Sequence[float] = ()
        self._until = -math.inf
        self.load = 0.0
        """How many tries they begin together while a job lasts."""
        self.seen, self._seen_at = 0, -math.inf

    def __len__(self) -> int:
        return len(self._present)

    def take(self, reports: Mapping[str, Any], now: float) -> None:
        """Keep the newest report of each instance; forget those that have been silent, or speak another version."""
        for name, raw in reports.items():
            report, known = read_report(raw), self._reports.get(name)
            if report and report.at <= now + FRESH_S and (known is None or report > known):
                self._reports[name] = report
        self._forget(now)

    def _forget(self, now: float) -> None:
        self._reports = {name: report for name, report in self._reports.items() if now - report.at < FRESH_S}
        self._until = min((report.at for report in self._reports.values()), default=math.inf) + FRESH_S
        self._present = [report for _, report in sorted(self._reports.items()) if not report.left]
        self.load = math.fsum(report.load for report in self._present)
        told = all(report.open >= 0 for report in self._present) and self._present
        self.seen = sum(report.open for report in self._present) if told else 0
        self._seen_at = fmean(report.at for report in self._present) if told else -math.inf
        self._mean = _mean([report.slots for report in self._present])

    def elsewhere(self, now: float, job_s: float) -> Elsewhere:
        """What they do now."""
        return elsewhere(self.load, self.seen, math.exp(min(0.0, self._seen_at - now) / job_s))

    def belief(self, now: float) -> Sequence[float]:
        """What the live ones believe about slots, on average; empty where there is nobody."""
        if now >= self._until:
            self._forget(now)
        return self._mean


def _mean(beliefs: Sequence[tuple[float, ...]]) -> Sequence[float]:
    """Each counts the same, whatever its rounded probabilities add up to."""
    if not beliefs:
        return ()
    parts = (_part(belief, len(beliefs)) for belief in beliefs)
    return list(map(sum, itertools.zip_longest(*parts, fillvalue=0.0)))


@lru_cache(maxsize=1024)
def _part(belief: tuple[float, ...], of: int) -> tuple[float, ...]:
    """One of so many beliefs. Each is a part of many means, as only one of them is news at a time."""
    total = sum(belief) * of
    return tuple(p / total for p in belief)


def leaning(seconds: float) -> float:
    """How far an instance comes towards the others in this time: 0 for no time at all, never all the way."""
    return 1.0 - math.exp(-max(0.0, seconds) / LEAN_S)
