"""Whether a try gets a slot before the gateway gives it up, were the number of slots known."""

import math
from functools import lru_cache

MANY = 60
"""Trials from which on the normal distribution is near enough to the binomial one."""
LEAST_DEVIATION = 1e-9


@lru_cache(maxsize=4096)
def admission(others: int, free_rate: float, size: int) -> tuple[float, ...]:
    """For 0 … size-1 slots: the probability that a try beside `others` gets one before it is refused.

    With more slots than others it does at once; else `others + 1 - slots` of them have to come free. Each does so once
    while a job lasts, not like a Poisson process: in a part of that time it does with a probability of this part.
    """
    turns = max(1, math.ceil(free_rate))
    part = free_rate / turns
    return tuple(1.0 if slots > others else at_least(others + 1 - slots, slots * turns, part) for slots in range(size))


@lru_cache(maxsize=4096)
def at_least(count: int, trials: int, part: float) -> float:
    """The probability that so many or more of the trials succeed, each with the probability `part`."""
    if part >= 1.0 or count > trials:
        return float(trials >= count)
    if trials > MANY:
        deviation = math.sqrt(trials * part * (1.0 - part)) + LEAST_DEVIATION
        return 0.5 * math.erfc((count - 0.5 - trials * part) / (deviation * math.sqrt(2.0)))
    term, below = (1.0 - part) ** trials, 0.0
    for n in range(count):
        below += term
        term *= (trials - n) / (n + 1) * part / (1.0 - part)
    return max(0.0, 1.0 - below)
