"""Samples as series that can be drawn: thinned without losing peaks, spreads by stretch, and totals as rates."""

import bisect
import itertools
import math
from collections.abc import Callable, Sequence

from spillway.simulation.played import Sample

Series = list[tuple[float, float]]
Value = Callable[[Sample], float]


def gauge(samples: Sequence[Sample], value: Value, span_s: float, most: int) -> Series:
    """A value by time, in at most `most` stretches of which the lowest and the highest value stay."""
    points = [point for stretch in _stretches(samples, value, span_s / most).values() for point in _extremes(stretch)]
    return points[:1] + [later for earlier, later in itertools.pairwise(points) if later[1] != earlier[1]]


def spreads(samples: Sequence[Sample], value: Value, span_s: float, step_s: float) -> list[tuple[float, float, float]]:
    """Lowest, mean and highest value for each step of the span; where there is no sample, the last one holds."""
    stretches = _stretches(samples, value, step_s)
    if not stretches:
        return []
    found, last = [], next(iter(stretches.values()))[0][1]
    for place in range(steps(span_s, step_s)):
        heights = [height for _, height in stretches.get(place, [])] or [last]
        found.append((min(heights), sum(heights) / len(heights), max(heights)))
        last = heights[-1]
    return found


def rates(samples: Sequence[Sample], total: Value, span_s: float, step_s: float) -> list[float]:
    """What a total grew by in a second, for each step of the span."""
    if not samples:
        return []
    times = [0.0, *(max(0.0, sample.at) for sample in samples)]
    totals = [0.0, *(total(sample) for sample in samples)]
    edges = [min(span_s, step_s * number) for number in range(steps(span_s, step_s) + 1)]
    pairs = itertools.pairwise((edge, _between(times, totals, edge)) for edge in edges)
    return [max(0.0, (later - earlier) / (end - begin)) for (begin, earlier), (end, later) in pairs]


def steps(span_s: float, step_s: float) -> int:
    """How many steps a span has, the last of them cut short perhaps."""
    return math.ceil(span_s / step_s - 1e-9)


def _stretches(samples: Sequence[Sample], value: Value, step_s: float) -> dict[int, Series]:
    stretches: dict[int, Series] = {}
    for sample in samples:
        height = value(sample)
        if math.isfinite(height):
            at = max(0.0, sample.at)
            stretches.setdefault(int(at / step_s), []).append((at, height))
    return stretches


def _extremes(stretch: Series) -> Series:
    lowest = min(stretch, key=lambda point: point[1])
    highest = max(stretch, key=lambda point: point[1])
    return sorted({stretch[0], lowest, highest, stretch[-1]})


def _between(times: Sequence[float], totals: Sequence[float], at: float) -> float:
    place = bisect.bisect_right(times, at)
    if place == len(times):
        return totals[-1]
    begin, end = times[place - 1], times[place]
    return totals[place - 1] + (totals[place] - totals[place - 1]) * (at - begin) / (end - begin)
