"""Axes: where a value is drawn, and which round values are named beside it."""

import math
from dataclasses import dataclass

# Seconds that read well between two marks of a time axis.
TIME_STEPS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
# Up to so many seconds an axis is in this unit.
UNITS = ((300, 1, "s"), (4 * 3600, 60, "min"), (5 * 86400, 3600, "h"))
LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from 0 to `top`, drawn from one place to another, with a mark at every `step`."""

    top: float
    step: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is drawn; one outside is drawn at the edge."""
        share = min(1.0, max(0.0, value / self.top))
        return self.begin + share * (self.end - self.begin)

    def marks(self) -> list[float]:
        """The values that are named."""
        return [number * self.step for number in range(math.floor(self.top / self.step + LEAST) + 1)]


def upright(top: float, begin: float, end: float, *, most: int, finest: float = 1e-6) -> Axis:
    """An axis with up to `most` steps of 1, 2 or 5, none under `finest`, that ends at the round value above `top`."""
    least = max(top / most, finest)
    power = 10.0 ** math.floor(math.log10(least) + LEAST)
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - LEAST))
    return Axis(max(1, math.ceil(top / step - LEAST)) * step, step, begin, end)


def timeline(span_s: float, begin: float, end: float, *, most: float) -> Axis:
    """A time axis with up to `most` steps."""
    days = math.ceil(span_s / most / 86400) * 86400
    step = next((float(step) for step in TIME_STEPS_S if span_s / step <= most), float(days))
    return Axis(span_s, step, begin, end)


def time_unit(span_s: float) -> tuple[int, str]:
    """Seconds in the unit that suits a span, and its name."""
    return next(((seconds, name) for top, seconds, name in UNITS if span_s <= top), (86400, "d"))
