"""Fallbacks that name a deployment: what is kept of each between rounds, and what its rule is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.tally import BINS_S, Usage, read_tally
from spillway.domain.warm import WarmRule, WarmTerms
from spillway.ports.deployments import Deployments


@dataclass(frozen=True, slots=True)
class WarmPlace:
    """A fallback that names a deployment. `always_warm`: its model can be used without one, and is never cold."""

    name: str
    route: str
    deployment: str
    deployments: Deployments
    terms: WarmTerms
    usd_per_job: float
    always_warm: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was changed, and why; `error` where it could not be."""

    subject: str
    what: str
    before: str
    after: str
    why: str
    error: str = ""


@dataclass(slots=True)
class Keeping:
    """What is kept of a place between rounds. `seen` are the starts by instance that the rule has been told of."""

    rule: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    way: str = ""
    least: int = 0
    ordered_at: float = 0.0
    why: str = ""
    way_why: str = ""

    def body(self) -> dict[str, Any]:
        """As `read_keeping` takes it."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_keeping(body: Mapping[str, Any]) -> Keeping:
    """From the stored form."""
    try:
        seen = {str(key): float(starts) for key, starts in body["seen"].items()}
        numbers = int(body["least"]), float(body["ordered_at"])
        return Keeping(dict(body["rule"]), seen, str(body["way"]), *numbers, str(body["why"]), str(body["way_why"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return Keeping()


def measured(terms: WarmTerms, usage: Usage | None) -> WarmTerms:
    """With the service time that was measured, once there is one."""
    if usage is None or usage.served < 5:
        return terms
    return WarmTerms(
        terms.usd_per_warm_second, terms.cold_start_s, terms.usd_per_second, round(usage.seconds / usage.served, 1),
        terms.max_instances, terms.billed, terms.ttl_s, terms.round_s,
    )  # fmt: skip


def tell(rule: WarmRule, keeping: Keeping, name: str, tallies: Mapping[str, Mapping[str, Any]], now: float) -> None:
    """Every start that the rule has not heard of, in the order of time."""
    starts: list[float] = []
    seen: dict[str, float] = {}
    for key, body in tallies.items():
        usage = read_tally(body).hosted.get(name)
        if usage is not None:
            starts += _new(usage, keeping.seen.get(key))
            seen[key] = usage.starts
    keeping.seen = seen
    for at in sorted(at for at in starts if at > now - BINS_S):
        rule.observe(min(at, now))


def _new(usage: Usage, seen: float | None) -> list[float]:
    """When the jobs began that came after the first `seen`; those too old to be remembered are left out."""
    count = int(usage.starts - seen) if seen is not None and usage.starts >= seen else int(usage.starts)
    starts: list[float] = []
    for second, jobs in reversed(usage.recent):
        jobs_new = min(int(jobs), count - len(starts))
        starts += [second + 5.0 * place / max(1.0, jobs) for place in range(jobs_new)]
        if len(starts) >= count:
            break
    return starts
