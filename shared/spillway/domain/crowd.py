"""Whether a try gets a slot where other instances try as well, were the number of slots known.

How many slots the others hold at this instant nobody can know. Known is how many they held when they last said so, of
which those are left that have not ended meanwhile, and their load: how many tries they begin while a job lasts. Of
videos, nearly all that was said still holds; of pictures, little.
"""

import math
from functools import lru_cache
from typing import NamedTuple

from spillway.domain.rounding import rounded

MANY = 60
"""Trials from which on the normal distribution is near enough to the binomial one."""
LEAST_DEVIATION = 1e-9
STEP, LEAST_CROWD, MOST_CROWD = 1.05, 0.1, 1000
"""Loads are told apart in steps of 5 %, from others who are there but hardly try to more than any subnet holds."""
PARTS, MOST_LEFT = 0.1, 0.95
"""Of what was said: in steps, and never all."""
SURELY = 1.0 - 1e-9


class Elsewhere(NamedTuple):
    """What others do: how many tries they begin while a job lasts, how many were open when they last said so, and the
    part of these that still are."""

    load: float
    seen: int
    left: float

    @property
    def mean(self) -> float:
        """How many of their tries are open now."""
        return self.left * self.seen + (1.0 - self.left) * self.load


def elsewhere(load: float, seen: int, left: float) -> Elsewhere:
    """The same as tables are kept for it, whatever others say of themselves."""
    load = rounded(min(MOST_CROWD, max(LEAST_CROWD, load)), STEP)
    return Elsewhere(load, min(seen, MOST_CROWD), min(MOST_LEFT, round(left / PARTS) * PARTS))


@lru_cache(maxsize=4096)
def crowded(others: int, crowd: Elsewhere, free_rate: float, size: int) -> tuple[float, ...]:
    """For 0 … size-1 slots: the probability that a try beside `others` gets one, while a `crowd` tries elsewhere.

    `free_rate` is how often a slot comes free while the gateway keeps a try. Those of the others' tries that nothing is
    known of are spread by Erlang's product form, in which those that will be refused do not count, and those inside the
    gateway's own queue are worked off no faster than there are slots. What is known makes it as much narrower as it
    leaves less to chance (the distribution of Conway and Maxwell), and says that those had their slots already.
    """
    unknown = 1.0 - crowd.left
    variance = unknown * (crowd.left * crowd.seen + crowd.load)
    narrow = max(1.0, crowd.mean / variance)
    mean = crowd.mean + 0.5 - 0.5 / narrow
    spread = 5.0 * math.sqrt(variance) + 3.0
    first, last = max(0, math.floor(mean - 2.0 * spread)), math.ceil(mean + spread)
    # Whoever is sure of a slot beside all that may ever seek one is so beside fewer, and with more slots.
    hardest = uncrowded(others + last, free_rate, size)
    sought = next((slots for slots, chance in enumerate(hardest) if chance >= SURELY), size)
    # Of all the weight so far, which grows beyond any number, the part of the latest.
    parts, chances = [1.0] * sought, [0.0] * sought
    for n in range(first, last + 1):
        held, more = others + n, (mean / (n + 1)) ** narrow
        for slots, chance in enumerate(uncrowded(held, free_rate, size)[:sought]):
            part = parts[slots]
            chances[slots] += part * (chance - chances[slots])
            queueing = (held + 1) / max(1, slots) if held >= slots else 1.0
            following = part * (chance * queueing) ** unknown * more
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
