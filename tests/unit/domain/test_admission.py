"""Whether a try gets a slot, from what is believed of slots and what each job is expected to bring to an end."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.admission import admission

ENDS = st.lists(st.floats(0, 3), max_size=80)


def known(slots: int, size: int = 100) -> list[float]:
    """The belief of somebody who knows the number."""
    return [float(n == slots) for n in range(size)]


@given(ENDS, st.lists(st.floats(0.01, 1), min_size=1, max_size=60))
def test_a_chance_is_a_probability(ends: list[float], raw: list[float]) -> None:
    assert 0.0 <= admission([p / sum(raw) for p in raw], ends) <= 1.0 + 1e-9


@given(ENDS, st.integers(0, 98))
def test_more_slots_make_it_no_less_likely(ends: list[float], slots: int) -> None:
    assert admission(known(slots), ends) <= admission(known(slots + 1), ends) + 0.02


@given(ENDS)
def test_a_slot_that_is_free_is_sure_and_none_at_all_is_hopeless(ends: list[float]) -> None:
    assert admission(known(len(ends) + 1), ends) == 1.0
    assert admission(known(0), ends) == 0.0


def test_a_gateway_that_waits_for_nothing_gives_what_is_free_alone() -> None:
    chances = [admission(known(slots), [0.0] * 3) for slots in range(6)]
    assert chances == pytest.approx([0.0, 0.0, 0.0, 0.0, 1.0, 1.0], abs=1e-3)


def test_a_job_that_is_about_to_end_makes_room_and_one_that_began_does_not() -> None:
    assert admission(known(3), [1.0, 0.0, 0.0]) > 0.9
    assert admission(known(3), [0.0, 0.0, 0.0]) < 0.05
    assert admission(known(2), [1.0, 0.0, 0.0]) < 0.1


@pytest.mark.parametrize("waiting", [0, 1, 3])
@pytest.mark.parametrize("slots", [4, 10, 40])
def test_counts_are_those_of_jobs_that_are_played(slots: int, waiting: int) -> None:
    chance = Random(1)
    ends = [chance.random() for _ in range(slots)]
    made = [sum(chance.random() < end for end in ends) > waiting for _ in range(2000)]
    assert admission(known(slots), [*ends, *([0.0] * waiting)]) == pytest.approx(sum(made) / len(made), abs=0.06)
