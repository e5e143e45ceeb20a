"""How fast jobs, refusals and hosted inference are taken to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.pace import GATEWAY_RETRIES_S, IDLE_S, MOST_ODD, HostedPace, JobPace, RefusalPace, first_guess

SECONDS = st.lists(st.floats(0, 1e4), max_size=300)


@given(SECONDS, st.booleans())
def test_paces_lie_within_what_was_seen(seen: list[float], alone: bool) -> None:
    jobs = JobPace(*first_guess("text-to-image"))
    for seconds in seen:
        jobs.served(seconds, alone=alone)
    if len(seen) >= 100:
        assert min(seen) - 1e-6 <= jobs.mean_s <= max(0.001, *seen) + 1e-6
    assert jobs.alone_s > 0
    assert jobs.p95_s <= max(6.5, *seen, 0.0)


def test_jobs_of_a_clock_that_stands_still_have_a_length() -> None:
    jobs = JobPace(0.0, 0.0)
    for _ in range(200):
        jobs.served(0.0, alone=True)
    assert min(jobs.mean_s, jobs.p95_s, jobs.alone_s) > 0


def test_waits_inside_the_gateway_are_no_part_of_a_job() -> None:
    jobs = JobPace(4.0, 6.5)
    for _ in range(200):
        jobs.served(4.0, alone=True)
        jobs.served(6.0, alone=False)
    assert jobs.alone_s == pytest.approx(4.0, abs=0.1)
    assert jobs.mean_s == pytest.approx(5.0, abs=0.1)


def test_gateway_that_always_refuses_at_once_is_found_out() -> None:
    pace = RefusalPace()
    spoken = [pace.refused(0.05) for _ in range(60)]
    assert spoken[0]
    assert not spoken[-1]
    assert pace.window_s < 0.2


def test_few_quick_refusals_are_not_for_want_of_a_slot() -> None:
    pace = RefusalPace()
    for seconds in (2.0, 0.1, 0.1, 2.0, 0.1):
        assert pace.refused(seconds) is (seconds == 0.1)
    assert pace.window_s == pytest.approx(GATEWAY_RETRIES_S)


def test_later_refusals_push_the_moment_of_certainty_back() -> None:
    pace = RefusalPace()
    for _ in range(10):
        pace.refused(6.0)
    assert pace.admitted_after_s > 6.0


def test_one_refusal_that_comes_very_late_moves_little() -> None:
    pace = RefusalPace()
    pace.refused(100.0)
    assert pace.window_s < 2 * GATEWAY_RETRIES_S
    assert not pace.refused(GATEWAY_RETRIES_S)


@given(SECONDS)
def test_a_try_is_taken_to_have_a_slot_only_after_most_refusals_would_have_come(seen: list[float]) -> None:
    pace = RefusalPace()
    for seconds in seen:
        pace.refused(seconds)
    assert 0.0 <= pace.window_s <= max(GATEWAY_RETRIES_S, *seen, 0.0)
    assert pace.admitted_after_s > pace.window_s


def hosted(*jobs: tuple[float, float]) -> HostedPace:
    """After jobs that began at one time and took another."""
    pace = HostedPace()
    for key, (began, seconds) in enumerate(jobs):
        pace.began(key, began)
        pace.ended(key, seconds, began + seconds)
    return pace


def test_hosted_inference_is_cold_after_a_minute_without_a_job() -> None:
    pace = hosted((0.0, 34.0), (35.0, 4.0))
    assert (pace.cold_s, pace.warm_s) == (34.0, 4.0)
    assert pace.next_s(39.0 + IDLE_S) == 4.0
    assert pace.next_s(39.1 + IDLE_S) == 34.0


def test_nothing_is_claimed_before_anything_is_known() -> None:
    assert HostedPace().next_s(0.0) == 0.0


def test_hosted_job_that_failed_tells_nothing() -> None:
    pace = hosted((0.0, 34.0))
    pace.began(9, 40.0)
    pace.ended(9, None, 41.0)
    assert (pace.cold_s, pace.warm_s) == (34.0, 0.0)


def test_end_of_a_job_that_was_never_begun_is_no_news() -> None:
    pace = HostedPace()
    pace.ended(1, 5.0, 5.0)
    assert pace.next_s(5.0) == 0.0


@given(st.lists(st.tuples(st.floats(-100, 1e6), st.booleans(), st.floats(0, 1e4)), max_size=100))
def test_expected_seconds_are_never_negative(jobs: list[tuple[float, bool, float]]) -> None:
    pace = HostedPace()
    for key, (now, well, seconds) in enumerate(jobs):
        pace.began(key, now)
        if key % 3:
            pace.ended(key, seconds if well else None, now)
        assert pace.next_s(now) >= 0.0


def test_how_often_a_gateway_refuses_for_no_good_reason_is_counted() -> None:
    pace = RefusalPace()
    assert not pace.known
    pace.refused(GATEWAY_RETRIES_S)
    assert pace.known
    for turn in range(500):
        if turn % 10:
            pace.kept()
        else:
            pace.refused(0.1 if turn % 50 else GATEWAY_RETRIES_S)
    assert pace.odd == pytest.approx(0.08, abs=0.03)


def test_a_gateway_that_only_ever_refuses_at_once_is_not_taken_for_a_patient_one() -> None:
    pace = RefusalPace()
    for _ in range(5):
        assert pace.refused(0.0)
    assert (pace.known, pace.odd) == (False, MOST_ODD)
