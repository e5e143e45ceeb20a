"""Which jobs end soon, by their age."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.endings import Endings

SEEN = st.lists(st.floats(0.001, 1e4), max_size=100).map(sorted)
AGES = st.lists(st.floats(0, 1e5), max_size=30)


@given(SEEN, AGES, st.floats(0.001, 1e3), st.floats(0, 1e3))
def test_no_slot_brings_more_to_an_end_than_time_allows(
    seen: list[float], ages: list[float], job_s: float, within_s: float
) -> None:
    endings = Endings(seen, job_s, within_s)
    assert all(0.0 <= ends <= max(1.0, within_s / job_s) + 1e-9 for ends in endings.of(ages))


@given(SEEN, AGES, st.floats(0, 100), st.floats(0, 100))
def test_more_time_brings_no_fewer_to_an_end(
    seen: list[float], ages: list[float], within_s: float, more: float
) -> None:
    less, longer = Endings(seen, 4.0, within_s).of(ages), Endings(seen, 4.0, within_s + more).of(ages)
    assert all(a <= b + 1e-9 for a, b in zip(less, longer, strict=True))


def test_before_a_job_was_seen_each_age_is_alike() -> None:
    assert Endings([], 4.0, 2.0).of([0.0, 3.0, 100.0]) == [0.5, 0.5, 0.5]


def test_regular_jobs_end_at_their_time() -> None:
    young, due = Endings([3.9 + 0.002 * n for n in range(100)], 4.0, 2.0).of([0.5, 3.0])
    assert (young, due) == (pytest.approx(0.0, abs=0.05), pytest.approx(1.0, abs=0.05))


def test_a_job_that_has_run_longer_than_any_may_end_or_not() -> None:
    (overdue,) = Endings([4.0] * 100, 4.0, 2.0).of([60.0])
    assert overdue == 0.5


def test_short_jobs_free_a_slot_more_than_once() -> None:
    (ends,) = Endings([1.0] * 100, 1.0, 2.5).of([0.0])
    assert ends == pytest.approx(2.5)
