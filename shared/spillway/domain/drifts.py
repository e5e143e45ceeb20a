"""How the number of slots changes while nobody looks. Seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drift:
    """A way to change: rates a second of a step by one slot, and of a jump."""

    step: float
    jump: float

    @property
    def rate(self) -> float:
        """Of any change."""
        return self.step + self.jump


DRIFTS = (Drift(0.005, 1 / 1800), Drift(0.03, 1 / 200), Drift(0.05, 1 / 40), Drift(0.6, 1 / 20))
"""Calm, lively, wild, and so restless that what was seen a few seconds ago hardly counts."""

UNSETTLED = (0.25, 0.25, 0.25, 0.25)
IN_A_CROWD = (0.85, 0.15, 0.0, 0.0)
"""How likely each of them is taken to be before anything was seen, and where several instances try."""


def moved(p: Sequence[float], drift: Drift, seconds: float, targets: Sequence[float]) -> list[float]:
    """The probability of each number of slots some seconds later; `targets` are where a jump goes to."""
    jump = 1.0 - math.exp(-drift.jump * seconds)
    step = min(0.5, drift.step * seconds) * (1.0 - jump)
    keep, half = 1.0 - jump - step, 0.5 * step
    below, above = [p[0], *p[:-1]], [*p[1:], p[-1]]
    return [keep * a + half * (b + c) + jump * t for a, b, c, t in zip(p, below, above, targets, strict=True)]
