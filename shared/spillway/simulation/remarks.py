"""Figures that would surprise a reader, each in one plain sentence."""

import itertools
import math
from collections.abc import Iterator

from spillway.simulation.played import Figures
from spillway.simulation.scenario import PipelineLoad, Scenario

# What the routing policy is held to.
LOW_SHARE = 0.95
REFUSED_PER_SUCCESS = 0.055
RECOVERY_S = 15.0
# The part of all tries that may go wrong for other reasons than a full subnet before it is worth a word.
FAULTY = 0.05
SLOW = 2.0
DEAR = 1.1
CENT = 0.01


def remarks(scenario: Scenario, load: PipelineLoad, figures: Figures) -> list[str]:
    """What to say about one pipeline's figures; nothing where they are as one would expect."""
    if not figures.requests:
        return ["Nobody came: `arrivals` brings no request within the scenario's time."]
    parts = (_failures(load, figures), _share(scenario, figures), _waste(figures), _times(load, figures))
    return list(itertools.chain(*parts, _money(load, figures)))


def _failures(load: PipelineLoad, figures: Figures) -> Iterator[str]:
    if figures.failed:
        yield f"{_users(figures.failed)} had no answer within {load.deadline_s:g} s."


def _share(scenario: Scenario, figures: Figures) -> Iterator[str]:
    less = figures.oracle_subnet - figures.subnet
    if not figures.oracle_subnet:
        yield "Even the oracle found no free slot."
    elif figures.subnet_share_of_oracle < LOW_SHARE:
        split = f"; {scenario.instances} instances know of each other only what is {scenario.state_delay:g} s old"
        yield f"The subnet could have served {less} more{split if scenario.instances > 1 else ''}."


def _waste(figures: Figures) -> Iterator[str]:
    faulty = figures.doomed_attempts - figures.refused_attempts
    if figures.refused_per_success > REFUSED_PER_SUCCESS:
        yield (
            f"{figures.refused_attempts} tries found no slot, {100 * figures.refused_per_success:.0f} for 100 "
            "successes: slots change faster than tries can tell."
        )
    if faulty > FAULTY * figures.attempts:
        yield f"{faulty} tries were lost for other reasons than a full subnet, which no limit can avoid."


def _times(load: PipelineLoad, figures: Figures) -> Iterator[str]:
    if figures.recovery_seconds is not None and figures.recovery_seconds > RECOVERY_S:
        yield f"The subnet was in use again only {figures.recovery_seconds:.0f} s after a breakdown's end."
    usual_s = max(load.service.median * math.exp(1.645 * load.service.sigma), load.fallback.seconds)
    if figures.latency_p95 > SLOW * usual_s:
        cold = load.fallback.cold_start and figures.latency_p95 >= load.fallback.cold_start
        why = (
            f"a cold hosted instance takes {load.fallback.cold_start:g} s longer" if cold else "tries went wrong first"
        )
        yield f"One in 20 waited {figures.latency_p95:.0f} s or longer, a job alone takes up to {usual_s:.0f} s: {why}."


def _money(load: PipelineLoad, figures: Figures) -> Iterator[str]:
    if figures.warm_usd > max(CENT, figures.fallback_usd):
        yield f"Keeping hosted instances warm cost {figures.warm_usd:.2f} USD, more than the jobs on them."
    if figures.cost_usd > DEAR * figures.oracle_usd + CENT:
        part, usd = max(_parts(load, figures).items(), key=lambda item: item[1])
        more = figures.cost_usd - figures.oracle_usd
        yield f"It cost {more:.2f} USD more than the oracle; the largest part of the cost is {part}, {usd:.2f} USD."


def _parts(load: PipelineLoad, figures: Figures) -> dict[str, float]:
    tries = load.prices.per_try * figures.doomed_attempts
    return {
        "hosted jobs": figures.fallback_usd,
        "warm instances": figures.warm_usd,
        "doomed tries": tries,
        "users' time": figures.cost_usd - figures.fallback_usd - figures.warm_usd - tries,
    }


def _users(number: int) -> str:
    return "One user" if number == 1 else f"{number} users"
