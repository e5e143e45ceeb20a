"""A day's money: what an instance may hold of it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.budget import (
    DAY_S,
    SKEW_S,
    Account,
    Books,
    Purse,
    cap_micros,
    date_of,
    days_of,
    kept_from,
    price_micros,
)
from spillway.errors import StoreUnavailable

MICROS = st.integers(0, 10_000_000)


def purse(**known: int) -> Purse:
    return Purse(1_000_000, **known)


@pytest.mark.parametrize(
    ("usd", "price", "cap"), [(0.003, 3000, 3000), (1.1, 1_100_000, 1_100_000), (0.0000015, 2, 1), (0.0, 0, 0)]
)
def test_prices_are_rounded_up_and_caps_down(usd: float, price: int, cap: int) -> None:
    assert (price_micros(usd), cap_micros(usd)) == (price, cap)


@given(st.floats(0, 1e6, allow_subnormal=False), st.integers(1, 1000))
def test_rounding_never_makes_jobs_cheaper(usd: float, jobs: int) -> None:
    assert price_micros(usd) * jobs >= usd * 1e6 * jobs * (1 - 1e-9) - 1e-3 * jobs


@given(st.floats(0, 1e10), st.floats(-SKEW_S, SKEW_S))
def test_true_day_is_among_those_of_a_clock_that_is_off(true_now: float, off: float) -> None:
    assert int(true_now // DAY_S) in days_of(true_now + off)


def test_most_of_the_time_it_is_one_day() -> None:
    assert days_of(DAY_S * 5 + 100) == [5]
    assert days_of(DAY_S * 5 + 4) == [4, 5]
    assert days_of(DAY_S * 6 - 30, ahead_s=60) == [5, 6]
    assert date_of(20_000) == "2024-10-04"


def test_books_are_read_as_they_were_written() -> None:
    books = Books({"a": Account(5, 3), "b": Account(7, 7)}, 11)
    assert Books.read(books.body()) == books
    with pytest.raises(StoreUnavailable, match="version 2"):
        Books.read({"version": 2})


@pytest.mark.parametrize(
    "body",
    [{}, {"version": 1}, {"version": 2, "accounts": {}, "settled": 0},
     {"version": 1, "accounts": [], "settled": 0}, {"version": 1, "accounts": {"a": [1]}, "settled": 0},
     {"version": 1, "accounts": {}, "settled": "much"}],
)  # fmt: skip
def test_books_that_nobody_can_read_grant_nothing(body: dict[str, Any]) -> None:
    with pytest.raises(StoreUnavailable):
        Books.read(body)


def test_grant_of_one_who_vanished_is_gone_and_of_one_who_left_only_what_it_spent() -> None:
    books = Books({"a": Account(500, 100), "b": Account(300, 200)})
    assert (books.gone_to_others("b"), books.spent_by_others("b")) == (500, 100)
    left = books.without("a", 120)
    assert (left.gone_to_others("b"), left.spent_by_others("b"), left.of("a")) == (120, 120, Account())


@given(MICROS, MICROS, MICROS, MICROS, MICROS, MICROS)
def test_grants_stay_within_the_cap(cap: int, others: int, spent: int, stock: int, pace: int, waiting: int) -> None:
    one = Purse(cap, granted=spent + stock, spent=spent, others=others, dearest=stock)
    wanted = one.wanted(pace)
    assert 0 <= wanted <= one.reach
    granted = one.grant(wanted, min(waiting, one.reach))
    assert granted >= spent
    assert granted <= max(cap - others, spent)


def test_first_grant_is_small() -> None:
    assert purse().grant(purse().wanted(0), 0) == 1_000_000 // 256


def test_grants_follow_the_pace_and_shrink_with_what_is_left() -> None:
    assert purse().wanted(30_000) == 30_000
    assert purse().wanted(900_000) == 1_000_000 // 16
    assert purse(others=900_000).wanted(900_000) == 100_000 // 16
    assert purse(others=990_000, dearest=4_000).wanted(900_000) == 4_000
    assert purse(others=999_000, dearest=4_000).wanted(0) == 1_000


def test_grant_is_left_alone_while_it_fits_roughly() -> None:
    assert purse(granted=10_000, spent=4_000).grant(10_000, 0) == 10_000
    assert purse(granted=10_000, spent=6_000).grant(10_000, 0) == 16_000
    assert purse(granted=40_000, spent=6_000).grant(10_000, 0) == 16_000
    assert purse(granted=10_000, spent=10_000).grant(0, 0) == 10_000


def test_waiting_callers_get_what_they_wait_for() -> None:
    one = purse(granted=10_000, spent=4_000)
    assert one.grant(one.wanted(0), 300_000) == 304_000


def test_lower_cap_takes_back_what_is_not_spent() -> None:
    assert Purse(50, granted=80, spent=20, others=10).grant(10, 0) == 30
    assert Purse(50, granted=80, spent=60, others=10).grant(0, 0) == 60


def test_last_money_is_kept_for_those_who_go_first() -> None:
    assert [kept_from(priority, 1) for priority in (-1, 0, 1)] == [0.05, 0.02, 0.0]
    assert kept_from(0, 0) == 0.0
    one = purse(granted=500_000, spent=0, others=460_000)
    assert one.reach == 540_000
    one = purse(granted=960_000, spent=955_000)
    assert (one.holds(1_000, 0.05), one.holds(1_000, 0.02)) == (False, True)
    assert one.could_hold(25_000, 0.02)
    assert not one.could_hold(25_001, 0.02), "a dear job must not take what is kept"
    assert one.could_hold(45_000, 0.0)
    assert not one.could_hold(45_001, 0.0)


def test_what_was_spent_is_told_in_steps() -> None:
    one = purse(granted=50_000, spent=9_000)
    assert not one.to_be_told(Account(50_000, 0), idle=False)
    assert one.to_be_told(Account(50_000, 0), idle=True)
    one.take(2_000)
    assert one.to_be_told(Account(50_000, 0), idle=False)
    assert math.isclose(one.gone, 0.011)
