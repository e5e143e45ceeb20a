"""Played scenarios made by hand, for what shows them."""

from dataclasses import replace
from typing import Any

from spillway.simulation.played import Figures, Played, Sample
from spillway.simulation.scenario import Scenario

FIGURES = Figures(
    requests=100,
    subnet=60,
    fallback=40,
    failed=0,
    oracle_subnet=60,
    subnet_share_of_oracle=1.0,
    attempts=62,
    refused_attempts=1,
    refused_per_success=1 / 60,
    doomed_attempts=2,
    doomed_per_success=2 / 60,
    latency_p50=4.0,
    latency_p95=7.0,
    latency_p99=8.0,
    fallback_usd=0.12,
    warm_usd=0.0,
    cost_usd=0.2,
    oracle_usd=0.2,
    recovery_seconds=None,
)


def scenario(*names: str, **changes: Any) -> Scenario:
    """A minute of pictures on two slots."""
    load = {"arrivals": [[0, 1]], "service": {"median": 4.0}, "slots": [[0, 2]], **changes}
    pipelines = [{**load, "name": name} for name in names or ("text-to-image",)]
    return Scenario.model_validate({"name": "by hand", "seconds": 60, "pipeline": pipelines})


def sample(at: float, **changes: Any) -> Sample:
    """An instant at which a little of everything happens."""
    n = int(at)
    values = {"slots": 2, "in_flight": 2, "waiting": 1, "limit": 2.5, "refused": n // 10, "warm": 0}
    totals = {"subnet": n, "fallback": n // 2, "failed": n // 20, "usd": 0.003 * (n // 2)}
    return Sample(at=at, **{**values, **totals, **changes})


def played(of: Scenario, samples: list[Sample], **figures: Any) -> Played:
    """All pipelines fare alike."""
    names = [load.name for load in of.pipelines]
    return Played(of.name, dict.fromkeys(names, replace(FIGURES, **figures)), dict.fromkeys(names, samples))
