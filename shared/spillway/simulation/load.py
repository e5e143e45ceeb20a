"""What comes in a scenario, drawn before anything is decided: every policy meets the same requests and luck."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from spillway.simulation.scenario import FaultWindow, PipelineLoad, Steps


@dataclass(frozen=True, slots=True)
class Luck:
    """What a request meets on the subnet: `service_s` is its job's time, `dice` decide about faults."""

    at: float
    instance: int
    service_s: float
    dice: tuple[float, ...]


def requests(load: PipelineLoad, seconds: float, instances: int, seed: str) -> Iterator[Luck]:
    """The requests of a pipeline in the order they come."""
    chance = Random(seed)
    mu, sigma = math.log(load.service.median), load.service.sigma
    for at in _poisson(load.arrivals, seconds, chance):
        dice = tuple(chance.random() for _ in load.faults)
        yield Luck(at, chance.randrange(instances), chance.lognormvariate(mu, sigma), dice)


def _poisson(arrivals: Steps, seconds: float, chance: Random) -> Iterator[float]:
    """Arrivals at a rate that is linear between points: thinned from the highest rate of each stretch."""
    for (begin, low), (end, high) in itertools.pairwise([*_from_zero(arrivals), (math.inf, arrivals[-1][1])]):
        at, top = begin, max(low, high)
        while top and at < min(end, seconds):
            at += chance.expovariate(top)
            share = 0.0 if low == high else (at - begin) / (end - begin)
            if at < min(end, seconds) and chance.random() * top <= low + (high - low) * share:
                yield at


def _from_zero(arrivals: Steps) -> Steps:
    first, rate = arrivals[0]
    return ((0.0, rate), *arrivals) if first > 0 else arrivals


def level(steps: Steps, at: float) -> int:
    """The value of a step function; its first value holds before its first step."""
    value = steps[0][1]
    for second, later in steps:
        if second > at:
            break
        value = later
    return int(value)


def faults_of(load: PipelineLoad, luck: Luck, at: float) -> Iterator[FaultWindow]:
    """The faults that a try which starts at `at` meets."""
    for window, die in zip(load.faults, luck.dice, strict=True):
        if window.begin <= at < window.end and die < window.probability:
            yield window
