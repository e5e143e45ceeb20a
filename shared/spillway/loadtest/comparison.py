"""Two reports beside each other: what changed, and whether by more than chance would."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hdrh.histogram import HdrHistogram

from spillway.domain.proof import Z_SHOWN, wilson

Verdict = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure before and after. `low` to `high` is the 95 % interval of the change."""

    pipeline: str
    figure: str
    before: float
    after: float
    low: float
    high: float
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {name: getattr(self, name) for name in self.__slots__}


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The pipelines that both reports have, figure by figure."""
    return [
        one
        for name, now in after["pipelines"].items()
        if name in before["pipelines"]
        for one in _pipeline(name, before["pipelines"][name], now)
    ]


def _pipeline(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for figure, counted in (("success", "answered"), ("subnet share", "subnet")):
        yield _part(
            name, figure, (_count(before, counted), before["requests"]), (_count(after, counted), after["requests"])
        )
    for percentile in (50.0, 95.0, 99.0):
        old, new = (_quantile(HdrHistogram.decode(one["histogram"]), percentile) for one in (before, after))
        yield _changed(name, f"p{percentile:g}, s", old, new, less_is_better=True)
    if before["capacity"] and after["capacity"]:
        old, new = (tuple(one["capacity"][key] for key in ("per_second", "low", "high")) for one in (before, after))
        yield _changed(name, "capacity, 1/s", old, new)


def _count(report: Mapping[str, Any], counted: str) -> int:
    return int(report["answered"] if counted == "answered" else report["served_by"].get(counted, 0))


def _part(name: str, figure: str, before: tuple[int, int], after: tuple[int, int]) -> Difference:
    old, new = (wilson(*one) for one in (before, after))
    return _changed(name, figure, (old.rate or 0.0, old.low, old.high), (new.rate or 0.0, new.low, new.high))


def _quantile(histogram: Any, percentile: float) -> tuple[float, float, float]:
    """Seconds, with the 95 % interval that the ranks around it span (a binomial count's)."""
    count, part = histogram.get_total_count(), percentile / 100
    if not count:
        return 0.0, 0.0, math.inf
    spread = 100 * Z_SHOWN * math.sqrt(part * (1 - part) / count)
    low, high = max(0.0, percentile - spread), min(100.0, percentile + spread)
    middle, least, most = (histogram.get_value_at_percentile(at) / 1000 for at in (percentile, low, high))
    return middle, least, most


def _changed(
    name: str,
    figure: str,
    before: tuple[float, float, float],
    after: tuple[float, float, float],
    *,
    less_is_better: bool = False,
) -> Difference:
    """The interval of a difference from those of its two sides (Newcombe's square and add, 1998)."""
    (old, old_low, old_high), (new, new_low, new_high) = before, after
    low = new - old - math.hypot(new - new_low, old_high - old)
    high = new - old + math.hypot(new_high - new, old - old_low)
    verdict: Verdict = "no difference shown"
    if low > 0 or high < 0:
        verdict = "better" if (high < 0) == less_is_better else "worse"
    return Difference(name, figure, old, new, low, high, verdict)
