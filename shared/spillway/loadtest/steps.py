"""Steps of rising load, where something gives way, and what the subnet carries at the most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spillway.loadtest.profile import Limits
from spillway.loadtest.samples import Sample, Tally, tally

FULL_BELOW = 0.8
"""A step in which the subnet answered less than this part of what came shows what it carries at the most: with a
quarter more than that coming, hardly a slot is ever idle."""
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of constant load: `rate` requests a second of all pipelines. Seconds since the test began."""

    rate: float
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen of one pipeline in one step; `carried` counts the subnet's answers that ended inside it."""

    step: Step
    pipeline: str
    tally: Tally
    carried: int

    @property
    def seconds(self) -> float:
        """How long."""
        return self.step.end - self.step.begin

    @property
    def full(self) -> bool:
        """Whether more came than the subnet took."""
        return self.tally.requests > 0 and self.tally.subnet_share < FULL_BELOW

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "offered_per_second": round(self.tally.requests / self.seconds, 4),
            "carried_per_second": round(self.carried / self.seconds, 4),
            **self.tally.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Capacity:
    """Answers a second that the subnet gives at the most, with its 95 % interval; `found` False: at least as many."""

    per_second: float
    low: float
    high: float
    found: bool

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "per_second": round(self.per_second, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "found": self.found,
        }


def measure(step: Step, samples: Sequence[Sample], pipeline: str) -> Measured:
    """One pipeline in one step: what was due in it, and what the subnet finished in it."""
    own = [sample for sample in samples if sample.pipeline == pipeline]
    carried = sum(s.served_by == "subnet" and not s.failure and step.begin <= s.ended < step.end for s in own)
    return Measured(step, pipeline, tally(s for s in own if step.begin <= s.due < step.end), carried)


def gives_way(measured: Measured, limits: Limits) -> str:
    """Which limit is passed, in words; empty where none is. Too few requests prove nothing."""
    seen = measured.tally
    if seen.requests < FEWEST:
        return ""
    if seen.success < limits.success:
        return f"{100 * seen.success:.0f} % answered"
    if seen.subnet_share < limits.subnet_share:
        return f"{100 * seen.subnet_share:.0f} % from the subnet"
    if limits.p95 is not None and seen.latency.at(95) > limits.p95:
        return f"p95 of {seen.latency.at(95):.1f} s"
    return ""


def capacity(all_measured: Sequence[Measured], pipeline: str) -> Capacity | None:
    """What the subnet carries of one pipeline: its rate over the steps in which it was full.

    The interval is a Poisson count's, which is wider than slots that are always busy deserve. Where no step was full,
    the busiest one is a lower bound. None where the subnet answered nothing.
    """
    own = [one for one in all_measured if one.pipeline == pipeline and one.tally.requests]
    full = [one for one in own if one.full]
    counted = full or sorted(own, key=lambda one: one.carried / one.seconds)[-1:]
    carried, seconds = sum(one.carried for one in counted), sum(one.seconds for one in counted)
    if not carried:
        return None
    spread = 1.96 * math.sqrt(carried)
    return Capacity(carried / seconds, max(0.0, carried - spread) / seconds, (carried + spread) / seconds, bool(full))
