"""How well the subnet has proved itself, and what share of the requests it should have. Pure.

A route's evidence is counted in tries, not in minutes, so a few jobs an hour tell as much as a flood, only later.
The share rises a step when the lower bound of the success since the last change is above `proven_above`, and falls to
the least at once when the upper bound of any stretch up to now is below `falls_below`. After each change evidence is
counted anew: so between two changes lie as many tries as it takes to be sure, and nothing flaps.

Only faults count against the subnet. Refusals for want of capacity say nothing about health, and the routing policy
has dealt with them within seconds; this is the slow loop around it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spillway.domain.tally import Counts

WINDOWS = {"1h": 3600.0, "24h": 86400.0, "7d": 7 * 86400.0}
Z_SHOWN = 1.96
Z_RISE = 2.0
# Every stretch is looked at every minute: what is looked for so often is also found by chance more often.
Z_FALL = 2.6
TRIES_PER_HOUR = 2.0
LARGEST_LEAST = 0.5
FORGIVE_S = 86400.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with its Wilson interval; without evidence it may be anything."""

    rate: float | None
    low: float
    high: float
    count: float

    def body(self) -> dict[str, Any]:
        """For people and programs."""
        rate = None if self.rate is None else round(self.rate, 4)
        return {"rate": rate, "low": round(self.low, 4), "high": round(self.high, 4), "of": self.count}


def wilson(good: float, count: float, z: float = Z_SHOWN) -> Interval:
    """The score interval of `good` out of `count`."""
    if count <= 0:
        return Interval(None, 0.0, 1.0, 0.0)
    rate, more = min(1.0, good / count), z * z / count
    middle = (rate + more / 2) / (1 + more)
    half = z / (1 + more) * math.sqrt(max(0.0, rate * (1 - rate) / count + more / (4 * count)))
    return Interval(rate, max(0.0, middle - half), min(1.0, middle + half), count)


@dataclass(frozen=True, slots=True)
class ProofTerms:
    """When the share changes. `least` is what a subnet that has failed still gets, in tries enough to prove itself."""

    falls_below: float = 0.5
    proven_above: float = 0.75
    least: float = 0.05
    start: float = 1.0

    @classmethod
    def of_prices(cls, *, usd_per_try: float, usd_per_second: float, lost_s: float, usd_per_job: float) -> "ProofTerms":
        """Where a try costs more than the hosted job that it may save; never below one half.

        A try that succeeds with p saves the hosted job, one that fails costs its price and `lost_s` of waiting.
        """
        loss = usd_per_try + usd_per_second * lost_s
        even = loss / (loss + usd_per_job) if loss + usd_per_job > 0 else 0.0
        below = min(0.9, max(0.5, even))
        return cls(falls_below=below, proven_above=(1 + below) / 2)


@dataclass(frozen=True, slots=True)
class Sample:
    """A route's counters at a time."""

    at: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class Target:
    """The share that the subnet should have at the most, since when, and why; `base` are the counters at that time."""

    share: float = 1.0
    since: float = 0.0
    reason: str = "nothing speaks against it"
    base: tuple[float, float] = (0.0, 0.0)

    def body(self) -> dict[str, Any]:
        """As `read_target` takes it."""
        return {"share": self.share, "since": self.since, "reason": self.reason, "base": list(self.base)}


def read_target(body: Mapping[str, Any], terms: ProofTerms) -> Target:
    """From the stored form, or the start."""
    try:
        good, bad = body["base"]
        return Target(float(body["share"]), float(body["since"]), str(body["reason"]), (float(good), float(bad)))
    except (KeyError, TypeError, ValueError):
        return Target(terms.start)


def window(samples: Sequence[Sample], now: float, span_s: float) -> Counts:
    """What was counted in the last `span_s` seconds, as far back as samples go; they are in order."""
    if not samples:
        return Counts()
    older = [sample for sample in samples if sample.at <= now - span_s]
    return samples[-1].counts.since((older[-1] if older else samples[0]).counts)


def proofs(samples: Sequence[Sample], now: float) -> dict[str, dict[str, Any]]:
    """By window: success of the subnet's tries, its health (refusals apart) and its share, with their uncertainty."""
    return {name: _proof(window(samples, now, span_s)) for name, span_s in WINDOWS.items()}


def _proof(counts: Counts) -> dict[str, Any]:
    served = counts.subnet_served
    return {
        "requests": counts.requests,
        "success": wilson(served, counts.subnet_tries).body(),
        "health": wilson(served, served + counts.faults).body(),
        "share": wilson(served, served + counts.hosted_served).body(),
        "failed": counts.failed,
        "usd": round(counts.usd, 6),
    }


def step(target: Target, samples: Sequence[Sample], now: float, terms: ProofTerms) -> Target:
    """The target from now on: the same object where nothing changes."""
    if not samples:
        return target
    good, bad = samples[-1].counts.subnet_served, samples[-1].counts.faults
    if good < target.base[0] or bad < target.base[1]:
        return Target(target.share, target.since, target.reason, (good, bad))
    worst = min(_stretches(target, samples), key=lambda interval: interval.high)
    least = _least(samples, now, terms)
    if worst.high < terms.falls_below and target.share > least:
        told = f"{worst.rate:.0%} of {worst.count:.0f} tries succeeded, surely less than {terms.falls_below:.0%}"
        return Target(least, now, told, (good, bad))
    return _risen(target, (good, bad), now, terms)


def _risen(target: Target, at: tuple[float, float], now: float, terms: ProofTerms) -> Target:
    if target.share >= 1.0:
        return target
    proof = wilson(at[0] - target.base[0], sum(at) - sum(target.base), Z_RISE)
    share = min(1.0, max(2 * target.share, terms.least))
    if proof.low > terms.proven_above:
        told = f"{proof.rate:.0%} of {proof.count:.0f} tries succeeded, surely more than {terms.proven_above:.0%}"
        return Target(share, now, told, at)
    if now - target.since > FORGIVE_S and proof.high > terms.falls_below:
        return Target(share, now, "what went wrong is a day old", at)
    return target


def _stretches(target: Target, samples: Sequence[Sample]) -> Iterable[Interval]:
    """Every stretch from a sample since the last change up to now."""
    last = samples[-1].counts
    bases = [(sample.counts.subnet_served, sample.counts.faults) for sample in samples[:-1] if sample.at > target.since]
    for good, bad in [target.base, *bases]:
        served, failed = last.subnet_served - good, last.faults - bad
        yield wilson(served, served + failed, Z_FALL)


def _least(samples: Sequence[Sample], now: float, terms: ProofTerms) -> float:
    """So much that two tries an hour are left, where there are so many requests."""
    hours = min(WINDOWS["24h"], max(now - samples[0].at, 3600.0)) / 3600.0
    per_hour = window(samples, now, WINDOWS["24h"]).requests / hours
    return min(LARGEST_LEAST, max(terms.least, TRIES_PER_HOUR / per_hour if per_hour > 0 else 1.0))
