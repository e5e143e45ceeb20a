"""Quantiles of what was measured."""

import math
from collections.abc import Sequence


def nearest_rank(ordered: Sequence[float], q: float) -> float | None:
    """The least of them that so many are not above; None where there is none."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None
