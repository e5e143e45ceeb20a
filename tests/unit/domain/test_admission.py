"""Whether a try gets a slot where the number of slots is known."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.admission import MANY, admission, at_least

RATES = st.floats(0, 5)


@given(st.integers(0, 600), RATES, st.integers(1, 528))
def test_more_slots_make_it_no_less_likely(others: int, rate: float, size: int) -> None:
    chances = admission(others, rate, size)
    assert len(chances) == size
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert all(less <= more + 0.02 for less, more in pairwise(chances))


@given(st.integers(0, 50), RATES)
def test_a_slot_that_is_free_is_sure_and_none_at_all_is_hopeless(others: int, rate: float) -> None:
    chances = admission(others, rate, 60)
    assert (chances[0], set(chances[others + 1 :])) == (0.0, {1.0})


def test_a_gateway_that_waits_for_nothing_gives_what_is_free_alone() -> None:
    assert admission(3, 0.0, 6) == (0.0, 0.0, 0.0, 0.0, 1.0, 1.0)


def test_every_second_slot_comes_free_in_half_the_time_of_a_job() -> None:
    assert admission(2, 0.5, 3)[2] == pytest.approx(0.75)
    assert admission(1, 1.0, 2)[1] == 1.0


@pytest.mark.parametrize("trials", [MANY, MANY + 1, 400])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_counts_are_those_of_trials_that_are_made(trials: int, part: float) -> None:
    chance = Random(1)
    count = round(trials * part)
    made = [sum(chance.random() < part for _ in range(trials)) >= count for _ in range(1000)]
    assert at_least(count, trials, part) == pytest.approx(sum(made) / len(made), abs=0.06)
