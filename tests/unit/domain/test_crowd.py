"""Whether a try gets a slot among other instances' tries where the number of slots is known."""

import math
from itertools import pairwise
from operator import mul
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spillway.domain.crowd import MANY, STEP, at_least, crowded, in_steps, uncrowded

RATES = st.floats(0, 5)


@given(st.integers(0, 600), RATES, st.integers(1, 528))
def test_more_slots_make_it_no_less_likely(others: int, rate: float, size: int) -> None:
    chances = uncrowded(others, rate, size)
    assert len(chances) == size
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert all(less <= more + 0.02 for less, more in pairwise(chances))


@given(st.integers(0, 50), RATES)
def test_a_slot_that_is_free_is_sure_and_none_at_all_is_hopeless(others: int, rate: float) -> None:
    chances = uncrowded(others, rate, 60)
    assert (chances[0], set(chances[others + 1 :])) == (0.0, {1.0})


def test_a_gateway_that_waits_for_nothing_gives_what_is_free_alone() -> None:
    assert uncrowded(3, 0.0, 6) == (0.0, 0.0, 0.0, 0.0, 1.0, 1.0)


def test_every_second_slot_comes_free_in_half_the_time_of_a_job() -> None:
    assert uncrowded(2, 0.5, 3)[2] == pytest.approx(0.75)
    assert uncrowded(1, 1.0, 2)[1] == 1.0


@pytest.mark.parametrize("trials", [MANY, MANY + 1, 400])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_counts_are_those_of_trials_that_are_made(trials: int, part: float) -> None:
    chance = Random(1)
    count = round(trials * part)
    made = [sum(chance.random() < part for _ in range(trials)) >= count for _ in range(1000)]
    assert at_least(count, trials, part) == pytest.approx(sum(made) / len(made), abs=0.06)


CROWDS = st.floats(0.1, 60)


@given(st.integers(0, 60), CROWDS, RATES, st.integers(1, 80))
@example(30, 200.0, 133.0, 150)
def test_others_tries_leave_no_more_than_there_was(others: int, crowd: float, rate: float, size: int) -> None:
    alone, beside = uncrowded(others, rate, size), crowded(others, crowd, rate, size)
    assert len(beside) == size
    assert all(0.0 <= less <= more + 1e-9 for less, more in zip(beside, alone, strict=True))


@given(st.integers(0, 30), CROWDS, st.floats(1.0, 2.0), RATES)
def test_the_more_others_try_the_less_likely_is_a_slot(others: int, crowd: float, more: float, rate: float) -> None:
    few, many = crowded(others, crowd, rate, 40), crowded(others, crowd * more, rate, 40)
    assert all(less <= chance + 1e-6 for less, chance in zip(many, few, strict=True))


@pytest.mark.parametrize(
    ("slots", "load", "blocked"), [(1, 1.0, 0.5), (2, 1.0, 0.2), (5, 3.0, 0.1101), (10, 8.0, 0.1217)]
)
def test_a_gateway_that_waits_for_nothing_blocks_as_erlang_says(slots: int, load: float, blocked: float) -> None:
    assert 1.0 - crowded(0, load, 0.0, slots + 1)[slots] == pytest.approx(blocked, abs=1e-4)


@given(st.integers(0, 20), st.floats(0.1, 20), st.floats(0, 60), st.integers(0, 40))
@example(20, 20.0, 4.0, 12)
def test_what_is_sure_is_no_different_when_it_is_reckoned(others: int, crowd: float, rate: float, slots: int) -> None:
    assert crowded(others, crowd, rate, 41)[slots] == pytest.approx(in_full(others, crowd, rate, slots), abs=1e-8)


def in_full(others: int, crowd: float, rate: float, slots: int) -> float:
    """The chance as the mean over all numbers of others' tries, each with its weight."""
    spread = 5.0 * math.sqrt(crowd) + 3.0
    weights, chances = [1.0], []
    for n in range(max(0, math.floor(crowd - 2.0 * spread)), math.ceil(crowd + spread) + 1):
        held = others + n
        chances.append(uncrowded(held, rate, 41)[slots])
        queueing = (held + 1) / max(1, slots) if held >= slots else 1.0
        weights.append(weights[-1] * chances[-1] * crowd / (n + 1) * queueing)
    return math.fsum(map(mul, weights, chances)) / math.fsum(weights[:-1])


@given(st.floats(0, 1000))
def test_loads_are_told_apart_in_steps(crowd: float) -> None:
    assert in_steps(crowd) == pytest.approx(max(0.1, crowd), rel=STEP - 1.0)
