"""Which risk of a refusal a try may take: as a matter of course, or because the waste budget pays for it."""

from spillway.domain.estimate import Estimate
from spillway.domain.open_tries import OpenTries
from spillway.domain.waste import WasteBudget

SURE, SURELY_FULL = 0.05, 0.005
"""The risk of a refusal that a try takes as a matter of course: where a slot may be free, and where none is (it would
wait at the gateway instead of here)."""
DARING, HOPE = 0.5, 0.3
"""Risk for each token saved up, where the probability of a free slot is at least `HOPE`; less in proportion."""


class Risks:
    """Of a try beside so many others, 0 to 1."""

    def __init__(self, estimate: Estimate, waste: WasteBudget, tries: OpenTries):
        self._estimate, self._waste, self._tries = estimate, waste, tries

    def sure(self, others: int, risk: float) -> float:
        """At which a try is as good as sure of its slot, or, among other instances, worth what it displaces.

        `risk` is its own.
        """
        if len(self._estimate.peers):
            return max(SURE, self._waste.bearable(self._estimate.displaced(others, risk)))
        return max(SURELY_FULL, SURE * self._hope(others))

    def bearable(self, others: int) -> float:
        """At this risk the waste budget pays for the try; what others that are not decided yet may cost counts."""
        return self._hope(others) * (SURE + DARING * max(0.0, self._waste.tokens - self._tries.risks()))

    def _hope(self, others: int) -> float:
        crowd = self._estimate.crowd
        beside = others + (round(crowd.mean) if crowd else 0)
        return min(1.0, self._estimate.slots.more_than(beside) / HOPE)
