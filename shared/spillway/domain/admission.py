"""Whether a try gets a slot before the gateway gives it up, from what is believed of slots and the ages of jobs."""

import math
from collections.abc import Sequence
from itertools import accumulate
from operator import mul

NEGLIGIBLE = 1e-4
"""What is less probable makes no difference."""
LEAST_VARIANCE, REGULAR = 0.01, 0.1
"""Nothing is quite certain, and slots that bring more than one job to an end do so more regularly than coins fall."""


def admission(belief: Sequence[float], ends: Sequence[float]) -> float:
    """The probability that one more try gets a slot while the gateway keeps it.

    `belief` is the probability of each number of slots, `ends` how many jobs each of the others, the oldest first, is
    expected to bring to an end in that time. With more slots than others it has one at once. Else the oldest hold
    them, and those behind are served first: with s slots `others + 1 - s` jobs have to end of those in the s slots.
    Their number is taken to be normally distributed, with the variance of so many coins that are not alike.
    """
    others = len(ends)
    chance = sum(belief[others + 1 :])
    means, squares = list(accumulate(ends)), list(accumulate(map(mul, ends, ends)))
    for slots in range(min(others, len(belief) - 1), 0, -1):
        if belief[slots] > NEGLIGIBLE:
            mean = means[slots - 1]
            variance = max(mean - squares[slots - 1], REGULAR * mean) + LEAST_VARIANCE
            chance += belief[slots] * at_least(others + 1 - slots, mean, variance)
    return chance


def at_least(count: int, mean: float, variance: float) -> float:
    """The probability of so many or more, of a number with this mean and variance."""
    return 0.5 * math.erfc((count - 0.5 - mean) / math.sqrt(2.0 * variance))
