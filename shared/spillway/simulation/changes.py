"""What is changed in a scenario before it is played: "what if demand doubled?"."""

import math
from dataclasses import dataclass
from typing import Any

from spillway.simulation.scenario import PipelineLoad, Scenario, Steps


@dataclass(frozen=True, slots=True)
class Changes:
    """None, or a factor of 1, leaves the file's own value."""

    seed: int | None = None
    demand_scale: float = 1.0
    slots_scale: float = 1.0
    instances: int | None = None
    state_delay_s: float | None = None
    usd_per_try: float | None = None
    usd_per_second: float | None = None
    usd_per_job: float | None = None
    cold_start_s: float | None = None
    faults: bool = True

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario as it is played."""
        own = {"seed": self.seed, "instances": self.instances, "state_delay": self.state_delay_s}
        pipelines = tuple(self._load(load) for load in scenario.pipelines)
        return scenario.model_copy(update={"pipelines": pipelines, **_given(own)})

    def _load(self, load: PipelineLoad) -> PipelineLoad:
        prices = {"per_try": self.usd_per_try, "per_second": self.usd_per_second}
        hosted = {"usd_per_job": self.usd_per_job, "cold_start": self.cold_start_s}
        # Each fault has a die of its own in every request: one that never happens leaves the others' luck as it was.
        faults = (
            load.faults if self.faults else (fault.model_copy(update={"probability": 0.0}) for fault in load.faults)
        )
        changed = {
            "arrivals": _scaled(load.arrivals, self.demand_scale),
            "slots": _whole(load.slots, self.slots_scale),
            "prices": load.prices.model_copy(update=_given(prices)),
            "fallback": load.fallback.model_copy(update=_given(hosted)),
            "faults": tuple(faults),
        }
        return load.model_copy(update=changed)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _scaled(steps: Steps, factor: float) -> Steps:
    return tuple((second, value * factor) for second, value in steps)


def _whole(slots: Steps, factor: float) -> Steps:
    # A factor of 1 leaves the file's values alone; the half of 9 slots is 5.
    if factor == 1:
        return slots
    return tuple((second, float(math.floor(value * factor + 0.5))) for second, value in slots)
