"""The bill is never below what was warm, and money is set aside before it is spent."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.warm_bill import Bill, Standing, read_bill

PLACE, USD = "replicate acme/mine", 0.001


def bill(most: int, at: float = 0.0) -> Bill:
    """One deployment."""
    return Bill(at, {PLACE: Standing("acme/mine", most, USD)})


def test_seconds_are_on_their_day() -> None:
    one = bill(2, 86400.0 * 100 - 60)
    one.count(86400.0 * 100 + 30)
    assert list(one.usd.values()) == pytest.approx([2 * 60 * USD, 2 * 30 * USD])
    assert one.today_usd(86400.0 * 100 + 30) == pytest.approx(2 * 30 * USD)


def test_what_a_wrong_clock_has_counted_ahead_is_not_owed() -> None:
    one = bill(1)
    one.count(3600.0)
    one.count(3 * 86400.0)
    one.count(7200.0)
    one.count(7260.0)
    assert list(one.usd) == ["1970-01-01"]
    assert one.usd["1970-01-01"] >= 86400 * USD


def test_old_days_are_forgotten() -> None:
    one = bill(1)
    one.count(20 * 86400.0)
    assert len(one.usd) == 8


def test_what_is_and_what_is_wanted_must_be_set_aside() -> None:
    one = bill(1)
    assert one.lacking_usd(0.0, PLACE, 3, 300.0) == pytest.approx(3 * 300 * USD)
    assert one.lacking_usd(0.0, PLACE, 0, 300.0) == pytest.approx(300 * USD)
    assert one.lacking_usd(0.0, "another", 0, 300.0) == pytest.approx(300 * USD)
    one.reserve(0.0, 1.0)
    assert one.lacking_usd(0.0, PLACE, 3, 300.0) == 0
    assert one.lacking_usd(86400.0, PLACE, 3, 300.0) == pytest.approx(3 * 300 * USD)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-100, 90_000)), max_size=30))
def test_every_second_is_counted_once_and_a_clock_that_goes_back_costs_nothing(
    steps: list[tuple[int, float]],
) -> None:
    one, now, latest, expected = bill(0), 0.0, 0.0, 0.0
    total = 0.0
    for most, gap_s in steps:
        now += gap_s
        before = dict(one.usd)
        rate = one.standings[PLACE].most_warm * USD
        one.count(now)
        total += sum(usd - before.get(date, 0.0) for date, usd in one.usd.items())
        expected += rate * max(0.0, now - latest)
        latest = max(latest, now)
        one.standings[PLACE].most_warm = most
        if now >= 0:
            assert read_bill(json.loads(json.dumps(one.body())), 0.0) == one
    assert total == pytest.approx(expected, abs=1e-6) or len(one.usd) >= 8


def test_a_bill_that_is_not_understood_is_begun_anew() -> None:
    assert read_bill({"at": 1.0, "standings": 3}, 7.0) == Bill(7.0)
