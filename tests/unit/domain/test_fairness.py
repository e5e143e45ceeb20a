"""Callers take turns."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.fairness import place, rank
from support.jobs import new_job


def served(calls: list[str]) -> list[str]:
    """The order in which a lane of one worker serves jobs that came in this order, all before the first is served."""
    last: dict[str, int] = {}
    ranked = []
    for number, caller in enumerate(calls):
        last[caller] = rank(0, last.get(caller))
        ranked.append((last[caller], number, caller))
    return [caller for _, _, caller in sorted(ranked)]


def test_first_job_of_an_empty_lane_ranks_first() -> None:
    assert rank(None, None) == 0


def test_newcomer_ranks_at_the_head() -> None:
    assert rank(41, None) == 41


def test_thousand_jobs_of_one_caller_wait_behind_the_first_of_another() -> None:
    assert served(["anna"] * 1000 + ["ben"])[1] == "ben"


def test_nobody_saves_up_turns() -> None:
    """Who was away comes in at the head, not before it."""
    assert rank(500, 3) == 500


@given(st.lists(st.sampled_from("abc")))
def test_each_round_holds_at_most_one_job_of_each_caller(calls: list[str]) -> None:
    order = served(calls)
    for caller in "abc":
        turns = [index for index, one in enumerate(order) if one == caller]
        for number, index in enumerate(turns):
            assert index <= 3 * (number + 1) - 1


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 9 * 10**9))))
def test_places_sort_as_their_numbers_do(given: list[tuple[int, float]]) -> None:
    jobs = [replace(new_job(created_at=round(at, 6)), rank=number) for number, at in given]
    numbers = sorted(jobs, key=lambda job: (job.rank, round(job.created_at, 6), job.id))
    assert sorted(jobs, key=place) == numbers
