"""Estimates follow what was measured, never go astray, and a bar never runs backwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.estimates import (
    REMEMBERED,
    SUBNET,
    LanePace,
    Pace,
    backlog_s,
    median,
    progress,
    queued_s,
    running_s,
)

NOW = 10_000.0
SECONDS = st.floats(0.01, 1000.0)


def pace_of(subnet: list[float] | None = None, hosted: list[float] | None = None, *, every_s: float = 10.0) -> LanePace:
    """Jobs that ended one after another, the last of them now."""

    def done(seconds: list[float]) -> Pace:
        return Pace(tuple((NOW - every_s * (len(seconds) - n - 1), one) for n, one in enumerate(seconds)))

    return LanePace(40.0, {SUBNET: done(subnet or []), "replicate": done(hosted or [])})


def test_the_first_of_an_idle_lane_takes_as_long_as_a_job_does() -> None:
    pace = pace_of([30.0] * 5)
    assert queued_s(pace, ahead=0, running=0, now=NOW, queue_until=NOW + 300) == 30.0


def test_who_has_others_before_him_waits_until_they_are_worked_off() -> None:
    pace = pace_of([30.0] * 11, every_s=5.0)
    assert queued_s(pace, ahead=10, running=6, now=NOW, queue_until=NOW + 300) == pytest.approx(10 * 5.0 + 30.0)


def test_who_would_wait_too_long_goes_to_hosted_inference_when_his_time_is_up() -> None:
    pace = pace_of([30.0] * 11, [50.0] * 5, every_s=5.0)
    assert queued_s(pace, ahead=100, running=6, now=NOW, queue_until=NOW + 60) == pytest.approx(60.0 + 50.0)


def test_where_nothing_was_measured_the_usual_time_and_those_that_run_tell() -> None:
    assert queued_s(LanePace(40.0), ahead=4, running=2, now=NOW, queue_until=NOW + 300) == pytest.approx(4 * 20 + 40)


def test_jobs_of_long_ago_say_nothing_of_the_rate() -> None:
    pace = Pace(tuple((at, 30.0) for at in range(20)))
    assert pace.rate(NOW) is None


def test_a_lane_that_was_idle_is_no_slow_lane() -> None:
    pace = pace_of([30.0] * 4, every_s=150.0)
    assert pace.rate(NOW, running=6) == pytest.approx(6 / 30.0)


def test_a_backlog_is_told_in_seconds_of_the_subnets_work() -> None:
    assert backlog_s(pace_of([30.0] * 11, every_s=5.0), queued=12, running=6, now=NOW) == pytest.approx(60.0)


def test_a_running_job_has_what_is_left_of_those_that_took_longer() -> None:
    pace = pace_of([20.0, 30.0, 40.0])
    assert running_s(pace, SUBNET, 0.0) == 30.0
    assert running_s(pace, SUBNET, 25.0) == 10.0
    assert running_s(pace, SUBNET, 50.0) == 5.0


def test_a_providers_word_is_better_than_the_median() -> None:
    pace = pace_of([], [50.0] * 5)
    assert running_s(pace, "replicate", 30.0, 0.75) == pytest.approx(10.0)
    assert progress(pace, "replicate", 30.0, 0.75) == 0.75


def test_the_bar_of_a_job_that_has_taken_the_median_is_at_four_fifths() -> None:
    assert progress(pace_of([30.0] * 5), SUBNET, 30.0) == pytest.approx(0.8)


@given(st.lists(SECONDS, max_size=60), st.lists(SECONDS, min_size=2, max_size=20))
def test_a_bar_never_runs_backwards_and_never_ends_before_the_job(known: list[float], elapsed: list[float]) -> None:
    pace = pace_of(known)
    shown = [progress(pace, SUBNET, seconds) for seconds in sorted(elapsed)]
    assert shown == sorted(shown)
    assert all(0.0 <= one < 1.0 for one in shown)


@given(
    st.lists(SECONDS, max_size=60),
    st.integers(0, 1000),
    st.integers(0, 64),
    st.floats(-100.0, 1000.0),
    st.floats(0.0, 2000.0),
    st.none() | st.floats(0.0, 1.0),
)
def test_no_estimate_is_negative_and_none_of_a_queued_job_exceeds_its_bound(
    known: list[float], ahead: int, running: int, left_s: float, elapsed_s: float, told: float | None
) -> None:
    pace = pace_of(known, known)
    wait_s = queued_s(pace, ahead=ahead, running=running, now=NOW, queue_until=NOW + left_s)
    assert 0.0 <= wait_s <= max(0.0, left_s) + max(pace.subnet_s(), pace.hosted_s()) + 1e-6
    assert running_s(pace, SUBNET, elapsed_s, told) >= 0.0
    assert backlog_s(pace, queued=ahead, running=running, now=NOW) >= 0.0


@given(st.lists(st.tuples(st.floats(0.0, 1e6), SECONDS), max_size=3 * REMEMBERED))
def test_a_pace_remembers_the_latest(done: list[tuple[float, float]]) -> None:
    pace = Pace()
    for at, seconds in done:
        pace = pace.with_one(at, seconds)
    assert list(pace.done) == sorted(done)[-REMEMBERED:]


def test_a_median_is_the_middle() -> None:
    assert [median([], 7.0), median([1.0, 2.0, 9.0], 7.0), median([1.0, 2.0, 4.0, 9.0], 7.0)] == [7.0, 2.0, 3.0]
