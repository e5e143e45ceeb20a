"""What holds of the routing policy whatever happens, and what it makes of a subnet that keeps still or comes back."""

import math
import statistics
import time
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.controller import Action, Actions, Ended
from spillway.domain.policy import PROBES_EVERY_S, SubnetPolicy
from spillway.domain.risks import SURE
from spillway.domain.waiting import LONGEST_WAIT_S, OVERTIME
from spillway.domain.waste import SAVED_UP, Prices
from spillway.simulation.play import play
from spillway.simulation.scenario import Scenario

PAID = Prices(per_try=0.0005, per_second=0.0002, per_job=0.003)
PRICES = (Prices(), Prices(per_second=0.0002, per_job=0.003), PAID, Prices(0.003, 0.0002, 0.06))
CALLS = ("arrive", "end", "beat", "leave", "force", "tick", "hedge", "hosted", "press", "merge")
STEPS = st.one_of(
    st.just(0.0), st.floats(0, 0.1), st.floats(0, 5), st.floats(0, 300), st.floats(0, 1e6), st.floats(-50, 0)
)
Op = tuple[str, float, int, Ended]


def events() -> st.SearchStrategy[list[Op]]:
    """What is called, after which step of the clock, about which of those that are open, and how it ended."""
    word = st.sampled_from(("arrive",) * 8 + ("end",) * 6 + CALLS)
    how = st.sampled_from([*Ended, *([Ended.SERVED] * 4), *([Ended.REFUSED] * 4)])
    return st.lists(st.tuples(word, STEPS, st.integers(0, 50), how), max_size=150)


def made(seed: int = 1, *, prices: Prices = PAID, pipeline: str = "text-to-image") -> SubnetPolicy:
    """A policy that knows nothing yet."""
    return SubnetPolicy(pipeline, prices, Random(seed), patience_s=30.0)


def neighbour(at: float) -> dict[str, Any]:
    """What another instance tells."""
    return {"version": 1, "at": at, "slots": [0.1, 0.2, 0.3, 0.4], "job_s": [4.0, 6.0], "refusal_s": 2.0, "up": True}


class Witness:
    """Calls a policy, carries its actions out, and complains about what must never happen."""

    def __init__(self, policy: SubnetPolicy, prices: Prices):
        self.policy, self._prices = policy, prices
        self.clock = self.latest = 1000.0
        self.policy.tick(self.clock)
        self.keys = 0
        self.came: dict[int, float] = {}
        self.bounds: dict[int, float] = {}
        self.trying: dict[int, str] = {}
        self.beaten: set[int] = set()
        self.decided: Counter[int] = Counter()
        self.log: list[Action] = []

    def play(self, ops: list[Op]) -> None:
        """Let all of it happen."""
        for word, step, which, how in ops:
            self.clock += step
            tokens = self.policy.waste.tokens
            self._carry_out(self.policy.tick(self.clock), may=True)
            seconds = max(0.0, self.clock - self.latest)
            self.latest = max(self.latest, self.clock)
            assert self.policy.waste.tokens <= max(tokens, min(1.0, tokens + seconds / PROBES_EVERY_S))
            self._happen(word, which, how)
            self._look()

    def _happen(self, word: str, which: int, how: Ended) -> None:
        tokens, up = self.policy.waste.tokens, self.policy.up
        actions = self._call(word, which, how)
        earned = self._prices.refused_per_success if (word, how) == ("end", Ended.SERVED) else 0.0
        assert self.policy.waste.tokens <= tokens + earned + 1e-9
        self._carry_out(actions, may=up or self.policy.up)

    def _call(self, word: str, which: int, how: Ended) -> Actions:
        if word == "arrive":
            return self._arrive()
        if word == "merge":
            return self.policy.merge({str(which % 3): neighbour(self.clock - which)}, self.clock)
        if word == "leave" and self.came:
            key = sorted(self.came)[which % len(self.came)]
            del self.came[key]
            return self.policy.leave(key, self.clock)
        if word == "force":
            self.keys += 1
            self.trying[self.keys] = "asked"
            self.policy.force(self.keys, self.clock)
        if word == "press":
            self.policy.line.pressure = (which % 11) / 10
        if word == "hosted":
            self.policy.hosted_began(which, self.clock)
            self.policy.hosted_ended(which, float(which) if which % 4 else None, self.clock)
        return self._about(word, sorted(self.trying)[which % len(self.trying)], how) if self.trying else []

    def _arrive(self) -> Actions:
        self.keys += 1
        self.came[self.keys] = self.latest
        longest_s = min(LONGEST_WAIT_S, self._prices.longest_wait_s) * (1 + 3 * self.policy.line.pressure)
        self.bounds[self.keys] = self.latest + OVERTIME * longest_s
        return self.policy.arrive(self.keys, self.clock)

    def _about(self, word: str, key: int, how: Ended) -> Actions:
        if word == "hedge":
            self.policy.may_hedge(key, self.clock)
        if word == "beat" and key not in self.beaten:
            self.beaten.add(key)
            return self.policy.beaten(key, self.clock)
        if word == "end":
            del self.trying[key]
            return self.policy.ended(key, how, self.clock)
        return []

    def _carry_out(self, actions: Actions, *, may: bool) -> None:
        for action in actions:
            turned_away_at_the_door = action.go == "fallback" and action.key == self.keys
            assert action.key == min(self.came) or turned_away_at_the_door
            assert action.go == "fallback" or action.reason == "probe" or may
            del self.came[action.key]
            self.decided[action.key] += 1
            if action.go == "subnet":
                self.trying[action.key] = action.reason
        self.log += actions

    def _look(self) -> None:
        policy = self.policy
        probes = [key for key, reason in self.trying.items() if reason == "probe" and key not in self.beaten]
        assert probes == ([] if policy.probing.key is None else [policy.probing.key])
        assert policy.waiting == len(self.came)
        assert policy.open >= len(self.trying)
        assert set(self.decided.values()) <= {1}
        assert -1.0 <= policy.waste.tokens <= SAVED_UP
        assert math.fsum(policy.estimate.slots.p) == pytest.approx(1.0, abs=1e-6)
        assert all(self.latest < self.bounds[key] for key in self.came)
        assert not self.came or self.latest < policy.wake_at() <= self.latest + 1.0


@given(events(), st.sampled_from(PRICES), st.sampled_from(["text-to-image", "image-to-video"]), st.integers(0, 99))
@settings(max_examples=300)
def test_whatever_happens_each_request_gets_one_answer_in_its_turn(
    ops: list[Op], prices: Prices, pipeline: str, seed: int
) -> None:
    witness = Witness(made(seed, prices=prices, pipeline=pipeline), prices)
    witness.play(ops)
    witness.play([("end", 1.0, 0, Ended.SERVED), ("leave", 0.0, 0, Ended.SERVED)] * (len(ops) + 5))
    assert (witness.trying, witness.came) == ({}, {})
    witness.play([("tick", 1e4, 0, Ended.SERVED)])
    assert (witness.policy.open, witness.policy.waiting) == (0, 0)


@given(events(), st.integers(0, 99))
@settings(max_examples=50)
def test_the_same_events_lead_to_the_same_state(ops: list[Op], seed: int) -> None:
    first, second = Witness(made(seed), PAID), Witness(made(seed), PAID)
    first.play(ops)
    second.play(ops)
    assert first.log == second.log
    assert first.policy.report(0.0) == second.policy.report(0.0)


@given(events())
@settings(max_examples=100)
def test_what_is_the_callers_own_fault_changes_only_the_count(ops: list[Op]) -> None:
    witness = Witness(made(), PAID)
    witness.play(ops)
    witness.play([("leave", 0.0, 0, Ended.SERVED)] * len(ops))
    policy = witness.policy
    policy.force(-1, witness.clock)
    before = state(policy)
    policy.ended(-1, Ended.CALLER, witness.clock)
    assert {**before, "open": before["open"] - 1} == state(policy)


def state(policy: SubnetPolicy) -> dict[str, Any]:
    """All that a verdict could change."""
    return {
        "open": policy.open,
        "slots": policy.estimate.slots.p,
        "health": (policy.estimate.health.rate, policy.estimate.health.hangs),
        "tokens": policy.waste.tokens,
        "jobs": (policy.estimate.jobs.mean_s, policy.estimate.jobs.alone_s, policy.estimate.jobs.longest_s),
        "refusals": policy.estimate.refusals.window_s,
        "probing": (policy.probing.key, policy.probing.next_at),
    }


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans()), min_size=20, max_size=400), st.sampled_from(PRICES))
@settings(max_examples=50)
def test_a_subnet_that_refuses_all_costs_no_more_than_what_was_saved_up(
    gaps: list[tuple[float, bool]], prices: Prices
) -> None:
    policy, now, refused, probes = made(prices=prices), 0.0, 0, 0
    for key, (gap_s, late) in enumerate(gaps):
        now += gap_s
        for action in policy.arrive(key, now):
            if action.go == "subnet":
                now += 2.0 if late else 0.0
                probes += action.reason == "probe"
                refused += 1
                policy.ended(action.key, Ended.REFUSED, now)
    assert refused - probes <= SAVED_UP + 1 + now / PROBES_EVERY_S
    assert probes <= 5 + now / 2


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), min_size=5, max_size=200), st.sampled_from(PRICES))
@settings(max_examples=100)
def test_risks_under_way_are_never_more_than_what_is_saved_up(flow: list[tuple[float, float]], prices: Prices) -> None:
    policy, now = made(prices=prices), 0.0
    risky: dict[int, float] = {}
    for key, (gap_s, luck) in enumerate(flow):
        now += gap_s
        policy.tick(now)
        risk = policy.estimate.risk(policy.open)
        if any(action.reason == "explore" for action in policy.arrive(key, now)):
            held = {key: tried for key, tried in policy.tries._by_key.items() if key in risky and not tried.admitted}
            pending = sum(risky[key] for key in held)
            assert pending + risk <= policy.waste.tokens + SURE + 1e-9 or policy.waste.tokens >= 1.0
            risky[key] = risk
        if risky and luck < 0.5:
            policy.ended(done := min(risky), Ended.SERVED if luck < 0.1 else Ended.REFUSED, now)
            del risky[done]


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=60))
@settings(max_examples=50)
def test_pressure_only_lengthens_queues(pressure: float, gaps: list[float]) -> None:
    calm, pressed = made(), made()
    pressed.line.pressure = pressure
    for policy in (calm, pressed):
        policy.hosted_began(-1, 0.0)
        policy.hosted_ended(-1, 40.0, 0.0)
        now = 50.0
        for key, gap_s in enumerate(gaps):
            now += gap_s / 5
            policy.arrive(key, now)
    assert pressed.waiting >= calm.waiting


def test_a_clock_that_goes_back_stands_still_until_it_is_there_again() -> None:
    policy = made()
    policy.arrive(0, 1000.0)
    policy.waste.tokens = 0.0
    tokens, belief = policy.waste.tokens, list(policy.estimate.slots.p)
    policy.tick(400.0)
    assert (policy.waste.tokens, policy.estimate.slots.p) == (tokens, belief)
    policy.tick(1000.0)
    assert (policy.waste.tokens, policy.estimate.slots.p) == (tokens, belief)


def test_tries_that_hang_for_an_hour_break_nothing() -> None:
    policy = made()
    for key in range(60):
        policy.force(key, 0.0)
    for key in range(60):
        policy.ended(key, Ended.TIMEOUT, 3600.0)
    assert policy.open == 0


def test_an_ill_subnet_is_looked_at_by_one_of_those_that_wait() -> None:
    policy = made()
    policy.estimate.slots.lean([0.0, 0.0, 1.0], 1.0)
    policy.waste.tokens = 0.0
    policy.force(0, 0.0)
    policy.force(1, 0.0)
    policy.line.pressure = 1.0
    assert [policy.arrive(key, 0.0) for key in (2, 3)] == [[], []]
    for _ in range(20):
        policy.estimate.health.failed(hung=False)
    actions = policy.tick(0.1)
    assert Counter(action.reason for action in actions) == {"probe": 1, "down": 1}


@pytest.mark.parametrize(("others", "reason"), [(0, "probe"), (1, "explore")])
def test_who_has_no_try_open_looks_at_a_full_subnet_as_at_one_that_is_gone_only_where_nobody_else_tries(
    others: int, reason: str
) -> None:
    policy = made()
    policy.waste.tokens = 0.0
    report = {
        "version": 1,
        "at": 0.0,
        "slots": [0.4, 0.6],
        "job_s": [4.0, 6.5],
        "refusal_s": 2.0,
        "load": 9.0,
        "open": 9,
    }
    policy.merge({str(other): report for other in range(others)}, 0.0)
    policy.estimate.slots.lean([0.4, 0.6], 1.0)
    assert [action.reason for action in policy.arrive(1, 0.0)] == [reason]


def test_an_instance_that_starts_from_a_report_decides_nearly_alike() -> None:
    old = fed(made(), slots=6, seconds=400)
    new = made()
    new.start_from(old.report(400.0))
    assert new.limit == pytest.approx(old.limit, rel=0.35)
    assert new.estimate.jobs.mean_s == pytest.approx(old.estimate.jobs.mean_s, rel=0.01)
    goes = [[action.go for key in range(5) for action in policy.arrive(-key - 1, 400.0)] for policy in (old, new)]
    assert sum(a == b for a, b in zip(*goes, strict=False)) >= 4


def fed(policy: SubnetPolicy, *, slots: int, seconds: int) -> SubnetPolicy:
    """After steady demand that `slots` carry, of jobs of four seconds."""
    for second in range(seconds):
        if second % 4 == 0:
            for place in range(slots):
                policy.force(second * 100 + place, float(second))
            policy.force(second * 100 + 99, float(second) + 0.5)
        if second % 4 == 2:
            policy.ended((second - 2) * 100 + 99, Ended.REFUSED, second + 0.5)
        if second % 4 == 3:
            for place in range(slots):
                policy.ended((second - 3) * 100 + place, Ended.SERVED, second + 0.9)
    return policy


@pytest.mark.parametrize("garbage", [{}, {"version": 2}, {"version": 1}, {"version": 1, "at": 0, "slots": "many"}])
def test_an_instance_starts_from_nothing_where_a_report_says_nothing(garbage: dict[str, Any]) -> None:
    policy = made()
    policy.start_from(garbage)
    assert state(policy) == state(made())


# A subnet that keeps still, or comes back.


def scene(slots: int, rate: float, seconds: float, **more: Any) -> Scenario:
    """Pictures on so many slots."""
    load = {
        "name": "text-to-image",
        "arrivals": [[0, rate]],
        "service": {"median": 3.8, "sigma": 0.33},
        "slots": [[0, slots]],
        "fallback": {"seconds": 4.0, "cold_start": 30.0, "usd_per_job": 0.003},
        "prices": {"per_try": 0.0005, "per_second": 0.0002},
        **more,
    }
    seed = int(rate * 100) + slots
    return Scenario.model_validate({"name": "still", "seed": seed, "seconds": seconds, "pipeline": [load]})


@pytest.mark.parametrize("slots", [1, 2, 5, 9, 20])
@pytest.mark.parametrize("over", [1.3, 3.0])
def test_constant_capacity_is_used_and_hardly_exceeded(slots: int, over: float) -> None:
    played = play(scene(slots, over * slots / 4, 900.0))
    settled = [sample for sample in played.samples["text-to-image"] if 120.0 < sample.at < 890.0]
    believed = statistics.mean(sample.limit for sample in settled)
    figures = played.pipelines["text-to-image"]
    assert figures.subnet_share_of_oracle >= 0.95
    assert max(sample.in_flight for sample in settled) <= slots
    assert slots - 2 <= believed <= slots + 3
    assert figures.refused_per_success <= 0.07 + (900 / PROBES_EVERY_S + SAVED_UP) / figures.subnet
    assert figures.failed == 0


@pytest.mark.parametrize("kind", ["outage", "refuse", "reset"])
@pytest.mark.parametrize("lasts_s", [10.0, 60.0, 600.0, 3600.0])
def test_after_an_outage_of_any_length_the_subnet_is_tried_within_15_s_and_soon_carries_half(
    kind: str, lasts_s: float
) -> None:
    end = 300.0 + lasts_s
    faults = [{"from": 300, "to": end, "kind": kind}]
    played = play(scene(9, 2.0, end + 100.0, faults=faults))
    figures = played.pipelines["text-to-image"]
    assert figures.recovery_seconds is not None
    assert figures.recovery_seconds <= 15.0
    back = [s.in_flight for s in played.samples["text-to-image"] if end + 25 < s.at < end + 90]
    assert statistics.mean(back) >= 4.5
    assert figures.failed == 0


def test_one_request_an_hour_finds_its_way_to_a_subnet_that_is_well() -> None:
    figures = play(scene(3, 1 / 600, 86_400.0)).pipelines["text-to-image"]
    assert figures.subnet >= 0.97 * figures.requests


def a_decision_s(slots: int) -> float:
    """Processor time of a decision, on average."""
    spent: list[float] = []

    class Timed(SubnetPolicy):
        def arrive(self, key: int, now: float) -> Actions:
            began = time.process_time()
            actions = super().arrive(key, now)
            spent.append(time.process_time() - began)
            return actions

    play(scene(slots, 1.2 * slots / 4, 200.0), lambda load, n, chance: Timed(load.name, PAID, chance, patience_s=30.0))
    return statistics.mean(spent)


@pytest.mark.alone
@pytest.mark.parametrize("slots", [9, 50])
def test_a_decision_is_quick(slots: int) -> None:
    # What a machine's neighbours take of its processors counts as its own time for some seconds.
    assert min(a_decision_s(slots) for _ in range(5)) < 150e-6
