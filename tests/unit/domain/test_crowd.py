"""Whether a try gets a slot among other instances' tries where the number of slots is known."""

import math
from itertools import pairwise
from operator import mul
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spillway.domain.crowd import MANY, STEP, Elsewhere, at_least, crowded, elsewhere, uncrowded

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
KNOWN = st.tuples(st.integers(0, 40), st.floats(0, 0.95))


def unseen(load: float) -> Elsewhere:
    """Others of whom only the load is known."""
    return Elsewhere(load, 0, 0.0)


@given(st.integers(0, 60), CROWDS, KNOWN, RATES, st.integers(1, 80))
@example(30, 200.0, (0, 0.0), 133.0, 150)
@example(5, 1000.0, (1000, 0.95), 0.5, 520)
@example(0, 0.1, (1000, 0.95), 0.0, 20)
def test_others_tries_leave_no_more_than_there_was(
    others: int, load: float, known: tuple[int, float], rate: float, size: int
) -> None:
    alone, beside = uncrowded(others, rate, size), crowded(others, Elsewhere(load, *known), rate, size)
    assert len(beside) == size
    assert all(0.0 <= less <= more + 1e-9 for less, more in zip(beside, alone, strict=True))


@given(st.integers(0, 30), CROWDS, st.floats(1.0, 2.0), RATES)
def test_the_more_others_try_the_less_likely_is_a_slot(others: int, load: float, more: float, rate: float) -> None:
    few, many = crowded(others, unseen(load), rate, 40), crowded(others, unseen(load * more), rate, 40)
    assert all(less <= chance + 1e-6 for less, chance in zip(many, few, strict=True))


@pytest.mark.parametrize(
    ("slots", "load", "blocked"), [(1, 1.0, 0.5), (2, 1.0, 0.2), (5, 3.0, 0.1101), (10, 8.0, 0.1217)]
)
def test_a_gateway_that_waits_for_nothing_blocks_as_erlang_says(slots: int, load: float, blocked: float) -> None:
    assert 1.0 - crowded(0, unseen(load), 0.0, slots + 1)[slots] == pytest.approx(blocked, abs=1e-4)


@given(st.integers(0, 20), st.floats(0.1, 20), st.floats(0, 60), st.integers(0, 40))
@example(20, 20.0, 4.0, 12)
def test_what_is_sure_is_no_different_when_it_is_reckoned(others: int, load: float, rate: float, slots: int) -> None:
    assert crowded(others, unseen(load), rate, 41)[slots] == pytest.approx(in_full(others, load, rate, slots), abs=1e-8)


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


@pytest.mark.parametrize("left", [0.5, 0.8, 0.95])
def test_what_is_known_of_the_others_makes_risks_clearer(left: float) -> None:
    """Eight of nine slots are held: sure and hopeless are told apart by one more of one's own."""
    known, unknown = Elsewhere(8.0, 8, left), unseen(8.0)
    sharper = [crowded(others, known, 0.0, 16) for others in (0, 1)]
    duller = [crowded(others, unknown, 0.0, 16) for others in (0, 1)]
    assert sharper[0][9] - sharper[1][9] > duller[0][9] - duller[1][9]
    assert sharper[0][12] > duller[0][12]


@pytest.mark.parametrize("seen", [0, 3, 9, 20])
@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
def test_those_who_were_seen_end_by_chance_and_others_begin(seen: int, left: float) -> None:
    """With more slots than anybody seeks: the chance of so many free ones is that of a simulated crowd."""
    chance, load, made = Random(seen), 6.0, []
    for _ in range(4000):
        arrived, at = 0, chance.expovariate((1.0 - left) * load)
        while at < 1.0:
            arrived, at = arrived + 1, at + chance.expovariate((1.0 - left) * load)
        made.append(sum(chance.random() < left for _ in range(seen)) + arrived)
    crowd = Elsewhere(load, seen, left)
    assert sum(made) / len(made) == pytest.approx(crowd.mean, abs=0.2)
    beyond = round(crowd.mean) + 3
    free = sum(count <= beyond for count in made) / len(made)
    assert crowded(0, crowd, 0.0, beyond + 2)[beyond + 1] == pytest.approx(free, abs=0.08)


@given(st.floats(0, 1e9), st.integers(0, 10**9), st.floats(0, 1))
def test_what_others_do_is_told_apart_in_steps(load: float, seen: int, left: float) -> None:
    crowd = elsewhere(load, seen, left)
    assert crowd.load == pytest.approx(min(1000.0, max(0.1, load)), rel=STEP - 1.0)
    assert (crowd.seen, crowd.left) == (min(1000, seen), pytest.approx(left, abs=0.0501))
