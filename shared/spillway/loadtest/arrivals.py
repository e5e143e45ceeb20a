"""When requests come: Poisson arrivals, drawn before anything is sent, so that a slow target can't slow them down."""

from collections.abc import Iterator
from random import Random

from spillway.loadtest.profile import Load, Profile


def arrivals(
    profile: Profile, begin: tuple[float, float], end: tuple[float, float], seed: str
) -> Iterator[tuple[float, Load]]:
    """(second, pipeline) between two (second, rate) with a rate that is linear between them, in order."""
    chance = Random(f"{profile.seed} {seed}")
    (at, low), (until, high) = begin, end
    top, span = max(low, high), end[0] - begin[0]
    weights = [load.weight for load in profile.pipeline]
    while top > 0:
        at += chance.expovariate(top)
        if at >= until:
            return
        rate = low + (high - low) * (at - begin[0]) / span
        if chance.random() * top <= rate:
            yield at, chance.choices(profile.pipeline, weights)[0]
