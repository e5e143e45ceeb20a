"""Whether a try gets a slot where other instances try as well, were the number of slots known.

How many slots the others hold at an instant nobody can know: jobs take seconds, as news do. Known is their load, how
many tries they begin while a job lasts. The rest is left to chance.
"""

import math
from functools import lru_cache

from spillway.domain.rounding import rounded

MANY = 60
"""Trials from which on the normal distribution is near enough to the binomial one."""
LEAST_DEVIATION = 1e-9
STEP, LEAST_CROWD, MOST_CROWD = 1.05, 0.1, 1000.0
"""Loads are told apart in steps of 5 %, from others who are there but hardly try to more than any subnet holds."""
SURELY = 1.0 - 1e-9


def in_steps(crowd: float) -> float:
    """A load as tables are kept for it, whatever others say of themselves."""
    return rounded(min(MOST_CROWD, max(LEAST_CROWD, crowd)), STEP)


@lru_cache(maxsize=2048)
def crowded(others: int, crowd: float, free_rate: float, size: int) -> tuple[float, ...]:
    """For 0 … size-1 slots: the probability that a try beside `others` gets one, while a `crowd` tries elsewhere.

    `free_rate` is how often a slot comes free while the gateway keeps a try. The others' tries are spread by Erlang's
    product form, in which those that will be refused do not count, and those inside the gateway's own queue are worked
    off no faster than there are slots.
    """
    spread = 5.0 * math.sqrt(crowd) + 3.0
    first, last = max(0, math.floor(crowd - 2.0 * spread)), math.ceil(crowd + spread)
    # Whoever is sure of a slot beside all that may ever seek one is so beside fewer, and with more slots.
    hardest = uncrowded(others + last, free_rate, size)
    sought = next((slots for slots, chance in enumerate(hardest) if chance >= SURELY), size)
    # Of all the weight so far, which grows beyond any number, the part of the latest.
    parts, chances = [1.0] * sought, [0.0] * sought
    for n in range(first, last + 1):
        held, more = others + n, crowd / (n + 1)
        for slots, chance in enumerate(uncrowded(held, free_rate, size)[:sought]):
            part = parts[slots]
            chances[slots] += part * (chance - chances[slots])
            queueing = (held + 1) / max(1, slots) if held >= slots else 1.0
            following = part * chance * more * queueing
            parts[slots] = following / (1.0 + following)
    return (*chances, *([1.0] * (size - sought)))


@lru_cache(maxsize=4096)
def uncrowded(held: int, free_rate: float, size: int) -> tuple[float, ...]:
    """The same beside so many tries that hold a slot or will, wherever they began.

    With more slots than those it has one at once; else `held + 1 - slots` have to come free. Each does so once while a
    job lasts, not like a Poisson process: in a part of that time it does with a probability of this part.
    """
    turns = max(1, math.ceil(free_rate))
    part = free_rate / turns
    return tuple(1.0 if slots > held else at_least(held + 1 - slots, slots * turns, part) for slots in range(size))


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
