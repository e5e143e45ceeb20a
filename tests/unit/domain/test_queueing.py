"""How many requests may wait."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.queueing import LONGEST, Demand, worthwhile_queue

LOAD, PRICE = st.floats(0, 2000), st.floats(0, 100)


@given(LOAD, st.floats(0.5, 520), PRICE)
def test_a_queue_is_never_negative_nor_endless(load: float, slots: float, price: float) -> None:
    assert 0 <= worthwhile_queue(load, slots, price) <= LONGEST


@given(st.floats(0.1, 100), st.integers(1, 60), st.floats(0.001, 1), st.floats(1.5, 10))
def test_dearer_waiting_makes_no_longer_queue(load: float, slots: int, price: float, dearer: float) -> None:
    rounding = 2  # With nearly no load nobody waits, and the last places of the queue are worth the same: nothing.
    assert worthwhile_queue(load, slots, price * dearer) <= worthwhile_queue(load, slots, price) + rounding


@pytest.mark.parametrize("slots", [1, 4, 9, 30])
def test_few_wait_where_more_comes_than_can_be_carried_and_more_where_there_is_room(slots: int) -> None:
    assert worthwhile_queue(2.0 * slots, slots, 0.5) < worthwhile_queue(0.8 * slots, slots, 0.5)


def test_first_burst_after_a_silence_may_wait() -> None:
    assert worthwhile_queue(1e-9, 9, 0.1) > 9


def test_nobody_waits_who_gains_less_than_he_loses() -> None:
    assert worthwhile_queue(18.0, 9, 100.0) == 0


def test_demand_that_lasts_is_what_comes_in_the_time_of_a_job() -> None:
    demand = Demand()
    for second in range(6000):
        demand.came(second / 2, 4.0)
    assert demand.load(3000.0, 4.0) == pytest.approx(8.0, rel=0.1)
    assert demand.load(3008.0, 4.0) == pytest.approx(8.0 * math.exp(-1), rel=0.1)


def test_a_burst_is_taken_to_pass() -> None:
    demand = Demand()
    for second in range(600):
        demand.came(second / 2, 4.0)
    for place in range(80):
        demand.came(300.0 + place / 8, 4.0)
    assert demand.load(310.0, 4.0) == pytest.approx(8.0, rel=0.2)


@given(st.lists(st.floats(-1e6, 1e6), max_size=50), st.floats(-1e6, 1e6), st.floats(0.001, 1e4))
def test_demand_is_never_negative_nor_more_than_what_came(times: list[float], now: float, job_s: float) -> None:
    demand = Demand()
    for at in times:
        demand.came(at, job_s)
    assert 0.0 <= demand.load(now, job_s) <= len(times) / Demand.LATELY + 1e-9
