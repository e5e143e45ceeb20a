"""What keeping hosted instances warm costs, and that the rule finds it."""

import json
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.warm import WarmRule, WarmTerms
from support.warm import arrivals, bursts, cost_usd

CHEAP = WarmTerms(0.000975, 30.0, usd_per_second=0.0002, service_s=3.0, max_instances=20)
DEAR = WarmTerms(0.000975, 30.0, usd_per_second=0.01, service_s=3.0, max_instances=20)
ONLINE = WarmTerms(0.000975, 30.0, usd_per_second=0.01, service_s=3.0, max_instances=20, billed="online")


def run(rule: WarmRule, starts: list[float], until: float) -> list[int]:
    """What it wants each minute."""
    wanted, ahead = [], list(starts)
    for minute in range(int(until // 60) + 1):
        now = minute * 60.0
        while ahead and ahead[0] <= now:
            rule.observe(ahead.pop(0))
        wanted.append(rule.wanted(now))
    return wanted


def test_at_the_studys_prices_nothing_is_kept_warm() -> None:
    for per_s in (0.001, 0.02, 0.3, 3.0):
        assert set(run(WarmRule(CHEAP), arrivals(per_s, 7200), 7200)) == {0}


def test_bursts_whose_cold_starts_are_dear_are_kept_warm() -> None:
    wanted = run(WarmRule(DEAR), bursts(every_s=180, last_s=20, per_s=5.0, until=3600), 3600)
    assert max(wanted[20:]) >= 8


@pytest.mark.parametrize("terms", [DEAR, ONLINE])
def test_one_instance_is_kept_for_a_job_every_two_minutes(terms: WarmTerms) -> None:
    wanted = run(WarmRule(terms), arrivals(1 / 120, 14400), 14400)
    assert sum(one >= 1 for one in wanted[60:]) > 100


@pytest.mark.parametrize("terms", [DEAR, ONLINE])
def test_the_want_falls_to_zero_when_the_fallback_is_left_alone(terms: WarmTerms) -> None:
    rule = WarmRule(terms)
    run(rule, bursts(every_s=180, last_s=20, per_s=5.0, until=3600), 3600)
    silent = [rule.wanted(3600.0 + 60.0 * minute) for minute in range(1, 91)]
    assert max(silent) > 0
    assert set(silent[int(3 * terms.break_even_s / 60) :]) == {0}


@pytest.mark.parametrize("billed", ["kept", "online"])
@pytest.mark.parametrize("usd_per_second", [0.0002, 0.002, 0.01, 0.05])
@pytest.mark.parametrize(
    "starts",
    [
        arrivals(1.2, 3600),
        arrivals(1 / 90, 14400),
        arrivals(1 / 1500, 86400),
        bursts(every_s=180, last_s=20, per_s=5.0, until=3600),
    ],
    ids=["steady", "thin", "sparse", "bursts"],
)
def test_it_costs_little_more_than_the_best_number_to_keep_in_hindsight(
    billed: str, usd_per_second: float, starts: list[float]
) -> None:
    terms = WarmTerms(
        0.000975, 30.0, usd_per_second=usd_per_second, service_s=3.0, max_instances=12,
        billed="online" if billed == "online" else "kept",
    )  # fmt: skip
    rule = WarmRule(terms)
    cost = cost_usd(terms, starts, rule.observe, rule.wanted)
    others = [cost_usd(terms, starts, lambda _: None, lambda _, m=m: m) for m in (0, 1, 4)]
    assert cost <= 1.3 * min(others)


times = st.lists(st.floats(0, 5000, allow_nan=False), max_size=80)


@settings(max_examples=60)
@given(times, st.sampled_from([CHEAP, DEAR, ONLINE]), st.integers(0, 79))
def test_stored_and_read_again_it_wants_the_same(starts: list[float], terms: WarmTerms, place: int) -> None:
    rule, other = WarmRule(terms), WarmRule(terms)
    for n, at in enumerate(starts):
        if n == place:
            other = WarmRule.read(terms, json.loads(json.dumps(other.write())), max(starts[:n], default=0.0))
        rule.observe(at)
        other.observe(at)
        assert rule.wanted(at) == other.wanted(at)


@settings(max_examples=60)
@given(times, st.sampled_from([CHEAP, DEAR, ONLINE]))
def test_it_never_wants_more_than_there_may_be_nor_breaks_on_clocks_that_go_back(
    starts: list[float], terms: WarmTerms
) -> None:
    rule = WarmRule(terms)
    for at in starts:
        rule.observe(at)
        assert 0 <= rule.wanted(at - 3.0) <= terms.max_instances


def test_a_state_of_a_time_to_come_is_a_fresh_start() -> None:
    rule = WarmRule(ONLINE)
    rule.observe(10 * 86400.0)
    fresh = WarmRule.read(ONLINE, rule.write(), 3600.0)
    assert fresh.write() == WarmRule(ONLINE, 3600.0).write()


@pytest.mark.parametrize("state", [{}, {"now": "x"}, {"now": 1.0, "asked": 1.0, "last": None, "ends": 3}])
def test_a_state_that_is_not_understood_is_a_fresh_start(state: dict[str, object]) -> None:
    assert WarmRule.read(DEAR, state, 5.0).wanted(6.0) == 0


def test_free_warm_seconds_are_kept_and_worthless_waiting_is_not() -> None:
    free = WarmTerms(0.0, 30.0, service_s=3.0, max_instances=4, billed="online")
    worthless = WarmTerms(0.001, 0.0, service_s=3.0, max_instances=4)
    assert run(WarmRule(free), arrivals(0.01, 7200), 7200)[-1] > 0
    assert set(run(WarmRule(worthless), arrivals(0.01, 7200), 7200)) == {0}


def test_a_start_is_observed_in_microseconds() -> None:
    rule, rng, now = WarmRule(DEAR), Random(1), 0.0
    began = time.perf_counter()
    for _ in range(20_000):
        now += rng.expovariate(3.0)
        rule.observe(now)
    assert (time.perf_counter() - began) / 20_000 < 50e-6


def test_the_meter_tells_what_a_job_costs_either_way() -> None:
    rule = WarmRule(ONLINE)
    run(rule, arrivals(1.2, 7200), 7200)
    deployed, official = rule.meter.usd(7200.0, ONLINE, 0.003)
    assert official == 0.003
    assert deployed > 0.003
    deployed, _ = rule.meter.usd(7200.0, ONLINE, 0.09)
    assert deployed < 0.09
