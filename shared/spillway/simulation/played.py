"""What came of a scenario: the figures of `spillway simulate --json`, and samples for a plot."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """What is counted while a pipeline is played."""

    subnet: int = 0
    fallback: int = 0
    failed: int = 0
    attempts: int = 0
    refused: int = 0
    doomed: int = 0
    latencies: list[float] = field(default_factory=list)
    waited_s: float = 0.0
    proven: list[float] = field(default_factory=list)
    """When the tries started that served a user."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One pipeline of a played scenario. Seconds and USD; `recovery_seconds` is None where nothing broke down.

    `refused_attempts` were turned away for want of capacity; `doomed_attempts` are all that brought no answer to a
    user. The oracle knows the free slots at every instant, never waits and never wastes a try.
    """

    requests: int
    subnet: int
    fallback: int
    failed: int
    oracle_subnet: int
    subnet_share_of_oracle: float
    attempts: int
    refused_attempts: int
    refused_per_success: float
    doomed_attempts: int
    doomed_per_success: float
    latency_p50: float
    latency_p95: float
    latency_p99: float
    fallback_usd: float
    warm_usd: float
    cost_usd: float
    oracle_usd: float
    recovery_seconds: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One instant: `subnet`, `fallback`, `failed`, `refused` and `usd` are totals since the start."""

    at: float
    slots: float
    in_flight: int
    waiting: int
    limit: float
    subnet: int
    fallback: int
    failed: int
    refused: int
    usd: float
    warm: int


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario's outcome, by pipeline."""

    name: str
    pipelines: dict[str, Figures]
    samples: dict[str, list[Sample]]

    def as_json(self) -> dict[str, Any]:
        """The object of one scenario in the command's output."""
        return {"name": self.name, "pipelines": {name: asdict(figures) for name, figures in self.pipelines.items()}}
