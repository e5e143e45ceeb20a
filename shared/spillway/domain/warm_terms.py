"""Prices and times of a hosted deployment, as the rule for its warm instances wants them."""

import math
from dataclasses import dataclass
from typing import Literal

Billed = Literal["kept", "online"]
FORGET_LEAST_S = 600.0
FORGET_BREAK_EVENS = 4.0


@dataclass(frozen=True, slots=True)
class WarmTerms:
    """Prices and times of a deployment; `round_s` is the time between two questions."""

    usd_per_warm_second: float
    cold_start_s: float
    usd_per_second: float = 0.0002
    service_s: float = 4.0
    max_instances: int = 4
    billed: Billed = "kept"
    ttl_s: float = 60.0
    round_s: float = 60.0

    @property
    def break_even_s(self) -> float:
        """How many warm seconds one cold start is worth; without a price, any number."""
        if self.usd_per_warm_second <= 0:
            return math.inf if self.cold_start_s * self.usd_per_second > 0 else 0.0
        waiting_s = self.usd_per_second * self.cold_start_s / self.usd_per_warm_second
        return waiting_s + (self.cold_start_s if self.billed == "online" else 0.0)

    @property
    def forget_s(self) -> float:
        """The time constant of what was seen."""
        return max(FORGET_LEAST_S, FORGET_BREAK_EVENS * min(self.break_even_s, 86400.0))
