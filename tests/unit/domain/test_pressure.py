"""How hard the day's money presses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.budget import DAY_S
from spillway.domain.pressure import Pace, SpendHistory, pressure

HOUR_S = 3600.0
CAP = 10.0


def played(rates: list[tuple[float, float]], *, until_h: float) -> float:
    """The pressure after a day of (from hour, USD an hour) so far."""
    history, spent, now = SpendHistory(0.0), 0.0, 0.0
    while now < until_h * HOUR_S:
        history.note(now, spent)
        rate = next(rate for hour, rate in reversed(rates) if hour * HOUR_S <= now)
        spent, now = spent + rate / 60, now + 60
    return pressure(history.need(now, spent, DAY_S - now), CAP - spent)


def test_calm_day_has_none() -> None:
    assert played([(0, 0.25)], until_h=12) == 0.0


def test_spending_that_can_not_last_presses_before_the_money_is_gone() -> None:
    early, middle, late = (played([(0, 1.0)], until_h=hour) for hour in (3, 5, 7))
    assert (early, late) == (0.0, 1.0)
    assert middle == pytest.approx(0.5, abs=0.05)


def test_evening_event_that_the_money_covers_is_not_fought() -> None:
    assert [played([(0, 0.02), (19, 3.0)], until_h=hour) for hour in (19.1, 19.5, 20)] == [0.0, 0.0, 0.0]


def test_event_that_could_take_all_that_is_left_presses() -> None:
    assert played([(0, 0.02), (19, 3.0)], until_h=21) > 0.9


def test_end_of_the_day_ends_the_need() -> None:
    assert played([(0, 0.38)], until_h=23.9) == 0.0


def test_past_event_is_forgotten_by_and_by() -> None:
    assert played([(0, 3.0), (2, 0.0)], until_h=2) > 0.9
    assert played([(0, 3.0), (2, 0.0)], until_h=20) < 0.5


def test_nothing_left_is_full_pressure() -> None:
    assert pressure(0.0, 0.0) == 1.0


@given(
    st.lists(st.tuples(st.floats(0, DAY_S), st.floats(-5, 20)), max_size=50),
    st.floats(0, DAY_S),
    st.floats(0, 20),
    st.floats(-1, 20),
)
def test_pressure_is_a_part_whatever_happened(
    notes: list[tuple[float, float]], now: float, spent: float, left: float
) -> None:
    history = SpendHistory(0.0)
    for when, so_far in notes:
        history.note(when, so_far)
    assert 0.0 <= pressure(history.need(now, spent, DAY_S - now), left) <= 1.0


def test_pace_is_the_last_minutes() -> None:
    pace = Pace()
    for now in range(0, 100, 10):
        pace.add(float(now), 5)
    assert pace.total(90.0) == 35
    assert pace.total(500.0) == 0
