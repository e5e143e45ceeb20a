"""The simulated world is the one that scenario files describe."""

import itertools
import time
from random import Random
from typing import Any

import pytest

from spillway.domain.controller import Actions, Controller, Ended
from spillway.domain.policy import SubnetPolicy
from spillway.domain.waste import Prices
from spillway.simulation.agenda import Agenda
from spillway.simulation.hosted import HostedModel
from spillway.simulation.load import Luck
from spillway.simulation.oracle import consult
from spillway.simulation.play import play
from spillway.simulation.played import Figures
from spillway.simulation.scenario import Hosted, PipelineLoad, Scenario
from spillway.simulation.subnet import Subnet, SubnetTry
from support.simulated import scenario

Ends = list[tuple[int, float, Ended]]


def load_of(**changes: Any) -> PipelineLoad:
    return scenario(**changes).pipelines[0]


def fault(begin: float, end: float, kind: str) -> dict[str, Any]:
    return {"from": begin, "to": end, "kind": kind, "probability": 1.0}


class Tries:
    """Tries on a subnet at given times, and how each of them ended."""

    def __init__(self, **changes: Any) -> None:
        load = load_of(**changes)
        self.agenda, self.ends = Agenda(), Ends()
        self.subnet = Subnet(load, self.agenda)
        self.open: dict[int, SubnetTry] = {}
        self._faults = len(load.faults)
        self._names = itertools.count()

    def at(self, when: float, service_s: float, *, die: float = 0.0) -> int:
        name = next(self._names)

        def tell(how: Ended) -> None:
            self.ends.append((name, round(self.agenda.now, 6), how))

        def begin() -> None:
            self.open[name] = self.subnet.start(Luck(when, 0, service_s, (die,) * self._faults), tell)

        self.agenda.at(when, begin)
        return name

    def hang_up(self, name: int, when: float) -> None:
        self.agenda.at(when, lambda: self.subnet.hang_up(self.open[name]))

    def all(self) -> Ends:
        self.agenda.run()
        return self.ends


def figures_of(one: Scenario) -> Figures:
    (figures,) = play(one).pipelines.values()
    return figures


# The subnet.


def test_slot_that_is_freed_within_the_refusal_time_is_taken() -> None:
    tries = Tries(slots=[[0, 1]])
    tries.at(0.0, 1.5)
    tries.at(0.1, 4.0)
    assert tries.all() == [(0, 1.5, Ended.SERVED), (1, 5.5, Ended.SERVED)]


def test_try_without_a_slot_is_refused_after_the_refusal_time() -> None:
    tries = Tries(slots=[[0, 1]])
    tries.at(0.0, 10.0)
    tries.at(1.0, 4.0)
    assert tries.all() == [(1, 3.0, Ended.REFUSED), (0, 10.0, Ended.SERVED)]


def test_gateway_without_patience_refuses_at_once() -> None:
    tries = Tries(slots=[[0, 1]], refusal=0.0)
    tries.at(0.0, 10.0)
    tries.at(1.0, 4.0)
    assert tries.all()[0] == (1, 1.0, Ended.REFUSED)


def test_freed_slot_goes_to_who_has_waited_longest() -> None:
    tries = Tries(slots=[[0, 1]])
    for at in (0.0, 0.2, 0.1):
        tries.at(at, 1.0)
    assert tries.all() == [(0, 1.0, Ended.SERVED), (2, 2.0, Ended.SERVED), (1, 3.0, Ended.SERVED)]


def test_running_jobs_run_on_when_slots_fall() -> None:
    tries = Tries(slots=[[0, 2], [1, 0]])
    for at in (0.0, 0.5, 2.0):
        tries.at(at, 5.0)
    assert tries.all() == [(2, 4.0, Ended.REFUSED), (0, 5.0, Ended.SERVED), (1, 5.5, Ended.SERVED)]


def test_slots_that_come_are_taken_by_waiting_tries() -> None:
    tries = Tries(slots=[[0, 0], [1, 1]])
    tries.at(0.0, 4.0)
    assert tries.all() == [(0, 5.0, Ended.SERVED)]


def test_outage_loses_jobs_and_closes_new_tries_after_a_fifth_of_a_second() -> None:
    tries = Tries(faults=[fault(5, 10, "outage")])
    for at in (0.0, 4.0, 7.0, 10.0):
        tries.at(at, 4.5)
    assert tries.all() == [
        (0, 4.5, Ended.SERVED),
        (1, 5.0, Ended.UNREACHABLE),
        (2, 7.2, Ended.UNREACHABLE),
        (3, 14.5, Ended.SERVED),
    ]


def test_slots_that_a_partial_outage_frees_go_to_those_who_wait_and_are_spared() -> None:
    tries = Tries(slots=[[0, 1]], faults=[{**fault(5, 10, "outage"), "probability": 0.5}])
    tries.at(4.0, 20.0)
    tries.at(4.5, 3.0, die=0.9)
    assert tries.all() == [(0, 5.0, Ended.UNREACHABLE), (1, 8.0, Ended.SERVED)]


def test_hang_holds_its_slot_for_two_minutes_and_never_answers() -> None:
    tries = Tries(slots=[[0, 1]], faults=[fault(0, 1, "hang")])
    for at in (0.0, 117.9, 118.5):
        tries.at(at, 4.0)
    assert tries.all() == [(1, 119.9, Ended.REFUSED), (2, 124.0, Ended.SERVED)]


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("error", (0, 2.0, Ended.BROKEN)),
        ("slow", (0, 12.0, Ended.SERVED)),
        ("refuse", (0, 0.0, Ended.REFUSED)),
        ("reset", (0, 0.0, Ended.UNREACHABLE)),
    ],
)
def test_fault_ends_a_try_of_four_seconds(kind: str, end: tuple[int, float, Ended]) -> None:
    tries = Tries(faults=[fault(0, 10, kind)])
    tries.at(0.0, 4.0)
    assert tries.all() == [end]


def test_slot_stays_held_when_the_caller_hangs_up() -> None:
    tries = Tries(slots=[[0, 1]])
    tries.hang_up(tries.at(0.0, 10.0), 1.0)
    tries.at(2.0, 4.0)
    assert tries.all() == [(1, 4.0, Ended.REFUSED)]


def test_who_waits_and_hangs_up_takes_no_slot() -> None:
    tries = Tries(slots=[[0, 1]])
    tries.at(0.0, 1.5)
    tries.hang_up(tries.at(0.1, 9.0), 1.0)
    tries.at(0.2, 1.0)
    assert tries.all() == [(0, 1.5, Ended.SERVED), (2, 2.5, Ended.SERVED)]


# Hosted inference.


def test_hosted_instance_goes_cold_after_a_minute_without_work() -> None:
    agenda, answers = Agenda(), list[float]()
    model = HostedModel(Hosted(seconds=4.0, cold_start=30.0))
    for at in (0.0, 34.0 + 59.0, 97.0 + 61.0):
        agenda.run(until=at)
        answers.append(model.run(agenda, lambda: None))
    assert answers == [34.0, 4.0, 34.0]


def test_second_hosted_job_at_once_is_cold() -> None:
    agenda, model = Agenda(), HostedModel(Hosted(seconds=4.0, cold_start=30.0))
    assert [model.run(agenda, lambda: None) for _ in range(2)] == [34.0, 34.0]


def test_instance_that_is_kept_is_warm_and_paid_for() -> None:
    agenda, model = Agenda(), HostedModel(Hosted(seconds=4.0, cold_start=30.0))
    model.keep(1, 0.0)
    assert [model.run(agenda, lambda: None) for _ in range(2)] == [4.0, 34.0]
    assert model.kept_s(50.0) == 50.0


# Requests.


@pytest.mark.parametrize(
    ("name", "changes", "deadline_s"),
    [("text-to-image", {}, 120.0), ("image-to-video", {}, 300.0), ("text-to-image", {"deadline": 7.0}, 7.0)],
)
def test_request_fails_when_nobody_has_answered_by_its_deadline(
    name: str, changes: dict[str, Any], deadline_s: float
) -> None:
    figures = figures_of(scenario(name, slots=[[0, 0]], fallback={"seconds": 400.0}, **changes))
    assert figures.failed == figures.requests > 0
    assert figures.latency_p95 == pytest.approx(deadline_s)


def test_deadline_leaves_hosted_inference_its_half_as_at_the_front_door() -> None:
    hangs = [fault(0, 60, "hang")]
    figures = figures_of(scenario(slots=[[0, 9]], faults=hangs, deadline=10.0, fallback={"seconds": 4.0}))
    assert figures.failed == 0
    assert figures.doomed_attempts > 0
    assert figures.latency_p99 <= 9.0 + 1e-6


class Undecided(SubnetPolicy):
    """Lets everybody wait."""

    def arrive(self, key: int, now: float) -> Actions:
        return []


def test_who_waits_for_a_slot_leaves_when_half_of_the_deadline_is_over() -> None:
    def make(load: PipelineLoad, _instances: int, chance: Random) -> Controller:
        return Undecided(load.name, Prices(), chance, patience_s=30.0)

    one = scenario(deadline=20.0, fallback={"seconds": 4.0})
    figures = play(one, make).pipelines["text-to-image"]
    assert (figures.attempts, figures.failed) == (0, 0)
    assert [figures.latency_p50, figures.latency_p99] == pytest.approx([14.0, 14.0])


@pytest.mark.parametrize("kind", ["hang", "slow"])
def test_every_request_has_one_end_and_every_try_one_outcome(kind: str) -> None:
    """Slow tries are beaten by hedges, and answer all the same."""
    brownout = [{"from": 10, "to": 40, "kind": kind, "probability": 0.3}]
    figures = figures_of(scenario(arrivals=[[0, 3]], slots=[[0, 30]], faults=brownout, fallback={"seconds": 1.0}))
    assert figures.doomed_attempts > 0
    assert figures.requests == figures.subnet + figures.fallback + figures.failed
    assert figures.attempts == figures.subnet + figures.doomed_attempts
    assert figures.refused_attempts <= figures.doomed_attempts


def test_refusals_without_want_of_a_slot_are_doomed_but_not_counted_as_refused() -> None:
    figures = figures_of(scenario(arrivals=[[0, 1.0]], faults=[fault(0, 60, "refuse")]))
    assert figures.attempts > 0
    assert (figures.refused_attempts, figures.doomed_attempts) == (0, figures.attempts)


def test_cost_adds_up_from_its_prices() -> None:
    terms = {"slots": [[0, 0]], "fallback": {"seconds": 5.0, "usd_per_job": 0.01}}
    figures = figures_of(scenario(prices={"per_try": 0.1, "per_second": 0.0}, **terms))
    jobs, tries = 0.01 * figures.fallback, 0.1 * figures.doomed_attempts
    assert figures.cost_usd == pytest.approx(jobs + tries)


def test_recovery_is_counted_from_the_end_of_an_outage_to_the_next_try_that_serves() -> None:
    figures = figures_of(scenario(arrivals=[[0, 2]], slots=[[0, 20]], faults=[fault(10, 20, "outage")]))
    assert figures.recovery_seconds is not None
    assert 0.0 <= figures.recovery_seconds <= 15.0


def test_subnet_that_nobody_is_served_by_again_is_not_back_before_the_end() -> None:
    gone = scenario(arrivals=[[0, 2]], slots=[[0, 0]], faults=[fault(10, 20, "outage")])
    assert figures_of(gone).recovery_seconds == 40.0


def test_breakdown_that_another_one_follows_at_once_ends_with_it() -> None:
    faults = [fault(10, 30, "refuse"), fault(20, 50, "outage"), fault(55, 99, "refuse")]
    figures = figures_of(scenario(arrivals=[[0, 5]], slots=[[0, 20]], faults=faults))
    assert figures.recovery_seconds is not None
    assert figures.recovery_seconds <= 5.0


def test_nothing_is_recovered_from_where_nothing_broke() -> None:
    assert figures_of(scenario()).recovery_seconds is None


def test_same_seed_gives_the_same_figures() -> None:
    one = scenario(arrivals=[[0, 3]]).model_copy(update={"instances": 3, "state_delay": 2.0})
    assert figures_of(one) == figures_of(one)
    assert figures_of(one) != figures_of(one.model_copy(update={"seed": 1}))


def test_hour_of_three_requests_a_second_takes_less_than_five_seconds() -> None:
    hour = scenario(arrivals=[[0, 3]], service={"median": 3.8, "sigma": 0.33}, slots=[[0, 9]])
    began = time.process_time()
    figures = figures_of(hour.model_copy(update={"seconds": 3600.0}))
    assert figures.requests > 10_000
    assert time.process_time() - began < 5.0


# The oracle.


def asked(load: PipelineLoad, *lucks: tuple[float, float]) -> tuple[int, float]:
    """The oracle's answer to requests that come at a time and take so many seconds."""
    return consult(load, [Luck(at, 0, service_s, (0.0,) * len(load.faults)) for at, service_s in lucks])


def test_oracle_takes_each_slot_that_is_free_and_never_waits() -> None:
    fallback, prices = {"seconds": 4.0, "usd_per_job": 0.01}, {"per_second": 0.001}
    load = load_of(slots=[[0, 1]], fallback=fallback, prices=prices)
    subnet, usd = asked(load, (0, 10), (5, 10), (9.9, 10), (10, 6))
    assert subnet == 2
    assert usd == pytest.approx(2 * 0.01 + (10 + 4 + 4 + 6) * 0.001)


def test_oracle_pays_for_the_cold_start_of_hosted_inference() -> None:
    load = load_of(slots=[[0, 0]], fallback={"seconds": 4.0, "cold_start": 30.0}, prices={"per_second": 0.001})
    assert asked(load, (0, 10), (50, 10)) == (0, pytest.approx((34 + 4) * 0.001))


def test_oracle_gives_nothing_to_a_slot_that_is_gone() -> None:
    assert asked(load_of(slots=[[0, 2], [5, 1]]), (0, 10), (1, 10), (6, 10))[0] == 2
    assert asked(load_of(slots=[[0, 2], [5, 1]]), (0, 4), (1, 10), (6, 10))[0] == 2


@pytest.mark.parametrize("kind", ["hang", "error", "refuse", "reset", "outage"])
def test_oracle_knows_which_tries_would_bring_nothing(kind: str) -> None:
    assert asked(load_of(faults=[fault(10, 20, kind)]), (0, 5), (12, 5), (20, 5))[0] == 2


def test_oracle_knows_which_jobs_an_outage_will_cut() -> None:
    assert asked(load_of(faults=[fault(10, 20, "outage")]), (4, 5), (6, 5))[0] == 1


def test_oracle_serves_slow_jobs_for_as_long_as_they_take() -> None:
    assert asked(load_of(slots=[[0, 1]], faults=[fault(0, 1, "slow")]), (0, 4), (11, 4), (12, 4))[0] == 2


def test_oracle_gives_no_job_to_the_subnet_that_ends_after_the_deadline() -> None:
    load = load_of(slots=[[0, 1]], deadline=8.0, fallback={"seconds": 9.0}, prices={"per_second": 0.001})
    assert asked(load, (0, 8.1), (1, 7.0)) == (1, pytest.approx((8.0 + 7.0) * 0.001))
