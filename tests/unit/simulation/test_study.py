"""On scenarios of the study the policy holds its ground beside the candidate that it has to beat.

`make bench` plays all of them, with more seeds and prices: the tables of docs/policy.md.
"""

import sys
from functools import cache
from random import Random

import pytest

from spillway.domain.controller import Controller
from spillway.simulation.play import Make, controller, play
from spillway.simulation.played import Figures
from spillway.simulation.scenario import PipelineLoad, Scenario
from support.front_door import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from policies.always import AlwaysTry
from policies.scenarios import everything
from policies.spill import Spill

PRICES = {"per_try": 0.0005, "per_second": 0.0002}
ONE_INSTANCE = ("03", "06", "10", "12", "17", "18", "20")
EIGHT = ("16",)


def candidate(load: PipelineLoad, instances: int, chance: Random) -> Controller:
    return Spill(video=load.is_video, instances=instances, chance=chance)


def always(load: PipelineLoad, _instances: int, _chance: Random) -> Controller:
    return AlwaysTry(120.0 if load.is_video else 30.0)


@cache
def scenarios() -> dict[str, Scenario]:
    return {scenario.name[:2]: scenario for scenario in everything(1, PRICES)}


@cache
def figures(number: str, make: Make) -> Figures:
    (one,) = play(scenarios()[number], make).pipelines.values()
    return one


@pytest.mark.parametrize("number", ONE_INSTANCE + EIGHT)
def test_every_user_has_an_answer(number: str) -> None:
    assert figures(number, controller).failed == 0


@pytest.mark.parametrize("number", ONE_INSTANCE + EIGHT)
def test_subnet_serves_as_much_as_with_the_candidate(number: str) -> None:
    ours, theirs = figures(number, controller), figures(number, candidate)
    assert ours.subnet_share_of_oracle >= theirs.subnet_share_of_oracle - 0.02


@pytest.mark.parametrize("number", ONE_INSTANCE + EIGHT)
def test_no_more_tries_are_refused_than_with_the_candidate(number: str) -> None:
    ours, theirs = figures(number, controller), figures(number, candidate)
    assert ours.refused_per_success <= theirs.refused_per_success + 0.005


@pytest.mark.parametrize("number", EIGHT)
def test_eight_instances_waste_no_more_than_their_bound(number: str) -> None:
    assert figures(number, controller).refused_per_success <= 0.14


@pytest.mark.parametrize("number", ["06", "21"])
def test_subnet_is_used_again_soon_after_an_outage(number: str) -> None:
    recovery_s = figures(number, controller).recovery_seconds
    assert recovery_s is not None
    assert recovery_s <= 15.0


@pytest.mark.parametrize("number", ["03", "06"])
def test_waiting_for_slots_slows_few_users_down(number: str) -> None:
    assert figures(number, controller).latency_p95 <= figures(number, always).latency_p95 + 1.5


def test_scenario_is_the_same_whenever_it_is_made() -> None:
    assert everything(3, PRICES) == everything(3, PRICES)
    assert everything(3, PRICES) != everything(4, PRICES)
