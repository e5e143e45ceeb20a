"""Plays a scenario: every pipeline with its own controllers, beside the oracle."""

import bisect
import itertools
from collections.abc import Callable, Iterator
from random import Random

from spillway.domain.controller import Controller
from spillway.domain.policy import SubnetPolicy
from spillway.domain.quantiles import nearest_rank
from spillway.domain.waste import Prices
from spillway.simulation.agenda import Agenda
from spillway.simulation.load import Luck, requests
from spillway.simulation.oracle import consult
from spillway.simulation.played import Figures, Played
from spillway.simulation.scenario import PipelineLoad, Scenario
from spillway.simulation.world import World

EXCHANGE_S = 2.0
PATIENCE_S, VIDEO_PATIENCE_S = 30.0, 120.0
Make = Callable[[PipelineLoad, int, Random], Controller]
"""Makes the controller of one instance: the pipeline, how many instances there are, and its own chance."""


def controller(load: PipelineLoad, _instances: int, chance: Random) -> Controller:
    """The product's own policy."""
    prices = Prices(load.prices.per_try, load.prices.per_second, load.fallback.usd_per_job)
    return SubnetPolicy(load.name, prices, chance, patience_s=VIDEO_PATIENCE_S if load.is_video else PATIENCE_S)


def play(scenario: Scenario, make: Make = controller) -> Played:
    """Play every pipeline to its last answer."""
    figures, samples = {}, {}
    for load in scenario.pipelines:
        seed = f"{scenario.seed}/{load.name}"
        lucks = list(requests(load, scenario.seconds, scenario.instances, seed))
        controllers = [make(load, scenario.instances, Random(f"{seed}/{n}")) for n in range(scenario.instances)]
        agenda = Agenda()
        world = World(load, controllers, agenda, delay_s=scenario.state_delay, period_s=EXCHANGE_S)
        world.play(lucks, scenario.seconds)
        agenda.run()
        figures[load.name] = _figures(load, world, lucks, scenario.seconds)
        samples[load.name] = world.samples
    return Played(scenario.name, figures, samples)


def _figures(load: PipelineLoad, world: World, lucks: list[Luck], seconds: float) -> Figures:
    tally, prices = world.tally, load.prices
    oracle_subnet, oracle_usd = consult(load, lucks)
    latencies = sorted(tally.latencies)
    fallback_usd = world.hosted.jobs * load.fallback.usd_per_job
    warm_usd = world.hosted.kept_s(seconds) * load.fallback.usd_per_warm_second
    successes = max(1, tally.subnet)
    return Figures(
        requests=len(lucks),
        subnet=tally.subnet,
        fallback=tally.fallback,
        failed=tally.failed,
        oracle_subnet=oracle_subnet,
        subnet_share_of_oracle=tally.subnet / oracle_subnet if oracle_subnet else 1.0,
        attempts=tally.attempts,
        refused_attempts=tally.refused,
        refused_per_success=tally.refused / successes,
        doomed_attempts=tally.doomed,
        doomed_per_success=tally.doomed / successes,
        latency_p50=nearest_rank(latencies, 0.50) or 0.0,
        latency_p95=nearest_rank(latencies, 0.95) or 0.0,
        latency_p99=nearest_rank(latencies, 0.99) or 0.0,
        fallback_usd=fallback_usd,
        warm_usd=warm_usd,
        cost_usd=fallback_usd + warm_usd + prices.per_try * tally.doomed + prices.per_second * tally.waited_s,
        oracle_usd=oracle_usd,
        recovery_seconds=max(_recoveries(load, tally.proven, seconds), default=None),
    )


def _recoveries(load: PipelineLoad, proven: list[float], seconds: float) -> Iterator[float]:
    """From each breakdown's end to the start of the first try that served a user again, in seconds; to the end of the
    scenario where none did.
    """
    tries, breakdowns = sorted(proven), list(_breakdowns(load))
    for _, end in breakdowns:
        if end < seconds and not any(begin <= end < until for begin, until in breakdowns):
            place = bisect.bisect_left(tries, end)
            yield (tries[place] if place < len(tries) else seconds) - end


def _breakdowns(load: PipelineLoad) -> Iterator[tuple[float, float]]:
    """From when to when the subnet could do nothing."""
    for window in load.faults:
        if window.probability >= 1.0 and window.kind != "slow":
            yield window.begin, window.end
    for (begin, slots), (end, _) in itertools.pairwise(load.slots):
        if slots < 1:
            yield begin, end
