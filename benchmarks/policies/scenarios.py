"""What policies are compared on: the nineteen scenarios of the study, and four of our own, made from a seed.

Pictures take 4 s on average, videos 41 s. Arrivals are requests a second, linear between points; slots are steps.
When slots fall, jobs in flight run on (the study cut them).
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from spillway.simulation.scenario import Scenario

HOUR = 3600.0
DAY = 26 * HOUR
Steps = Sequence[tuple[float, float]]
Fault = Mapping[str, Any]

PICTURE: Mapping[str, Any] = {
    "name": "text-to-image",
    "service": {"median": 3.8, "sigma": 0.33},
    "fallback": {"seconds": 4.0, "cold_start": 30.0, "usd_per_job": 0.003, "usd_per_warm_second": 0.000975},
}
VIDEO: Mapping[str, Any] = {
    "name": "image-to-video",
    "service": {"median": 40.0, "sigma": 0.25},
    "fallback": {"seconds": 45.0, "cold_start": 30.0, "usd_per_job": 0.05, "usd_per_warm_second": 0.0014},
}
NINE: Steps = ((0, 9),)


class Builder:
    """Makes scenarios of one seed and one set of prices (`per_try`, `per_second`; empty for none)."""

    def __init__(self, seed: int, prices: Mapping[str, float]):
        self._seed, self._prices = seed, prices

    def chance(self, name: str) -> Random:
        """The same for a name and seed, whatever else is drawn."""
        return Random(f"{self._seed}/{name}")

    def one(
        self,
        name: str,
        kind: Mapping[str, Any],
        arrivals: Steps,
        slots: Steps = NINE,
        *,
        seconds: float = HOUR,
        faults: Iterable[Fault] = (),
        instances: int = 1,
        state_delay: float = 0.0,
        **changes: Any,
    ) -> Scenario:
        """A scenario with one pipeline; `changes` are of the pipeline's own values."""
        load = {**kind, "arrivals": arrivals, "slots": slots, "faults": tuple(faults), "prices": self._prices}
        whole = {"name": name, "seed": self._seed, "seconds": seconds, "instances": instances}
        return Scenario.model_validate({**whole, "state_delay": state_delay, "pipeline": [{**load, **changes}]})


def study(seed: int, prices: Mapping[str, float]) -> list[Scenario]:
    """Scenarios 01 to 19 of the study."""
    make = Builder(seed, prices)
    return [*_demand(make), *_trouble(make), *_sparse(make), *_split(make), *_gateways(make)]


def own(seed: int, prices: Mapping[str, float]) -> list[Scenario]:
    """Scenarios of our own: what the study left out."""
    make = Builder(seed, prices)
    four_hours = {"seconds": 4 * HOUR}
    swings = flapping(4, 10, (300, 900), 4 * HOUR, make.chance("video"))
    gone = [fault(5000, 5900, "outage", 1.0)]
    tops = [(0, 0.2), (1800, 6), (HOUR, 6)]
    return [
        make.one("20 video, slots flap", VIDEO, [(0, 0.25)], swings, **four_hours),
        make.one("21 video, outage", VIDEO, [(0, 0.15)], faults=gone, **four_hours),
        make.one("22 ramp, slots cut to 4", PICTURE, tops, [(0, 12), (2400, 4), (2800, 12)]),
        make.one("23 big network", PICTURE, [(0, 8), (1800, 16)], [(0, 40)]),
    ]


def everything(seed: int, prices: Mapping[str, float]) -> list[Scenario]:
    """All of them, by number."""
    return sorted([*study(seed, prices), *own(seed, prices)], key=lambda scenario: scenario.name)


def _demand(make: Builder) -> list[Scenario]:
    growing = [(0, 6), (900, 9), (1800, 12), (2700, 15)]
    tides = [(0, 0.3), (HOUR, 4), (2 * HOUR, 0.3)]
    return [
        make.one("01 under capacity", PICTURE, [(0, 1.2)]),
        make.one("02 over capacity", PICTURE, [(0, 3.5)]),
        make.one("03 bursts", PICTURE, bursts(0.5, 8.0, HOUR)),
        make.one("04 diurnal", PICTURE, tides, seconds=2 * HOUR),
        make.one("05 slots grow", PICTURE, [(0, 3.5)], growing),
        make.one("09 heavy tails", PICTURE, [(0, 2)], service={"median": 3.0, "sigma": 0.9}),
        make.one("10 video", VIDEO, [(0, 0.25)], seconds=4 * HOUR),
    ]


def _trouble(make: Builder) -> list[Scenario]:
    swings = flapping(3, 9, (40, 90), HOUR, make.chance("flapping"))
    return [
        make.one("06 outage", PICTURE, [(0, 2)], faults=[fault(1500, 2100, "outage", 1.0)]),
        make.one("07 brownout", PICTURE, [(0, 1.5)], faults=_brownout(hang=0.12, error=0.08)),
        make.one("08 slots flap", PICTURE, [(0, 2.5)], swings),
        make.one("11 noisy neighbours", PICTURE, [(0, 2.5)], neighbours(15, HOUR, make.chance("neighbours"))),
        make.one("18 black hole", PICTURE, [(0, 2)], faults=[fault(1500, 2100, "hang", 1.0)]),
        make.one("19 half hang", PICTURE, [(0, 1.5)], faults=_brownout(hang=0.5, error=0.15)),
    ]


def _sparse(make: Builder) -> list[Scenario]:
    batches = rare_batches(DAY, make.chance("batches"))
    return [
        make.one("12 sparse", PICTURE, batches, seconds=DAY, faults=_always(refuse=0.03, error=0.03)),
        make.one("13 sparse video", VIDEO, batches, seconds=DAY, faults=_always(refuse=0.05, error=0.08)),
    ]


def _split(make: Builder) -> list[Scenario]:
    ages = {"14 eight, news at once": 0.0, "15 eight, 3 s old": 3.0, "16 eight, 10 s old": 10.0}
    return [make.one(name, PICTURE, [(0, 2.5)], instances=8, state_delay=age) for name, age in ages.items()]


def _gateways(make: Builder) -> list[Scenario]:
    return [make.one("17 refused at once", PICTURE, [(0, 3.5)], refusal=0.0)]


def fault(begin: float, end: float, kind: str, probability: float) -> Fault:
    """A fault of a scenario."""
    return {"from": begin, "to": end, "kind": kind, "probability": probability}


def _brownout(**probabilities: float) -> list[Fault]:
    return [fault(1200, 2400, kind, probability) for kind, probability in probabilities.items()]


def _always(**probabilities: float) -> list[Fault]:
    return [fault(0, DAY, kind, probability) for kind, probability in probabilities.items()]


def flapping(low: int, high: int, stay_s: tuple[float, float], seconds: float, chance: Random) -> Steps:
    """Slots that go back and forth, and stay for a while each time."""
    steps, at, level = [], 0.0, high
    while at < seconds:
        steps.append((at, level))
        at += chance.uniform(*stay_s)
        level = low if level == high else high
    return steps


def neighbours(slots: int, seconds: float, chance: Random) -> Steps:
    """What others leave of the slots: they come every 3.3 s and stay for 20 s, 6 of them on average."""
    steps, at, others = [], 0.0, 6
    while at < seconds:
        steps.append((at, max(0, slots - others)))
        come, go = 0.3, others / 20
        at += chance.expovariate(come + go)
        others += 1 if chance.random() < come / (come + go) else -1
    return steps


def bursts(base: float, top: float, seconds: float) -> Steps:
    """The highest rate for 20 s every 3 minutes."""
    steps: list[tuple[float, float]] = []
    for at in range(0, int(seconds), 180):
        steps += [(at, base), (at + 160, base), (at + 160, top), (at + 180, top)]
    return steps


def rare_batches(seconds: float, chance: Random) -> Steps:
    """Seven requests or so within half a minute, once an hour or so; nothing in between."""
    steps, at = [(0.0, 0.0)], 0.0
    while at < seconds:
        steps += [(at, 0.0), (at, 0.25), (at + 30, 0.25), (at + 30, 0.0)]
        at += chance.uniform(1800, 5400)
    return steps
