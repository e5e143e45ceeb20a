"""A job's life, whatever happens to it and in whatever order."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain import job_steps
from spillway.domain.job_documents import as_document, from_document, packed, sought, unpacked
from spillway.domain.job_views import NOT_TOLD, as_of, view
from spillway.domain.jobs import MOST_CHANGES, OVER, Hosted, Job, Problem, Status, Webhook
from spillway.errors import JobOver
from support.jobs import NOW, new_job

LEASE_S = 30.0
WRONG = Problem("backends-failed", "nobody could")

Step = Callable[[Job, float], Job]

OWN: dict[str, Step] = {
    "renewed": lambda job, now: job_steps.renewed(job, now, LEASE_S, progress=0.5),
    "started": lambda job, now: job_steps.started(job, now, "subnet"),
    "started elsewhere": lambda job, now: job_steps.started(job, now, "replicate"),
    "starting": lambda job, now: job_steps.starting(job, Hosted("replicate", "owner/svd", 0, now, 0.06)),
    "gone": lambda job, _: job_steps.gone(job),
    "refunded": lambda job, _: job_steps.gone(job, refund=True),
    "handed back": job_steps.handed_back,
    "put off": lambda job, now: job_steps.put_off(job, now, 60.0),
    "failed once": lambda job, now: job_steps.failed_once(job, now, WRONG),
    "succeeded": lambda job, now: job_steps.succeeded(job, now, f"results/{job.id}", "svd"),
}
ANYBODYS: dict[str, Step] = {
    "canceled": job_steps.canceled,
    "failed": lambda job, now: job_steps.failed(job, now, Problem("expired", "it waited too long")),
    "found": lambda job, _: job_steps.found(job, ("p1", "p2")),
    "claimed": lambda job, now: job_steps.claimed(job, "worker", now, LEASE_S),
    "posted": lambda job, now: job_steps.posted(job, now, delivered=False, next_at=now + 5),
}
FOLLOWS: dict[Status, set[Status]] = {
    "queued": {"running", "queued", "succeeded", "failed", "canceled"},
    "running": {"running", "queued", "succeeded", "failed", "canceled"},
}


def may(job: Job, name: str, now: float) -> bool:
    """Whether somebody could take this step, seeing the job as it is."""
    if name == "posted":
        return job.over and job.webhook is not None
    if name == "claimed":
        return job.over or job.claimable(now)
    if name == "found":
        return job.over or job.hosted is not None
    return name not in OWN or job.over or job.lease is not None


STEPS = st.lists(st.tuples(st.sampled_from([*OWN, *OWN, *ANYBODYS, "claimed", "claimed"]), st.floats(-5, 100)))


def lives(steps: list[tuple[str, float]], job: Job) -> list[Job]:
    """All values that the job goes through; times may run backwards, as clocks of several machines do."""
    seen, now = [job], NOW
    for name, pause_s in steps:
        now += pause_s
        if not may(job, name, now):
            continue
        if job.over and name != "posted":
            with pytest.raises(JobOver):
                {**OWN, **ANYBODYS}[name](job, now)
            continue
        job = {**OWN, **ANYBODYS}[name](job, now)
        seen.append(job)
    return seen


def any_job() -> Job:
    return new_job(webhook=Webhook("https://example.com/done"))


@given(STEPS)
def test_changes_are_gapless_and_never_rewritten(steps: list[tuple[str, float]]) -> None:
    for before, after in zip(seen := lives(steps, any_job()), seen[1:], strict=False):
        assert after.changes[: before.sequence] == before.changes
        assert [change.sequence for change in after.changes] == list(range(1, after.sequence + 1))
        times = [change.at for change in after.changes]
        assert times == sorted(times)


@given(STEPS)
def test_revision_grows_by_one_a_step(steps: list[tuple[str, float]]) -> None:
    for before, after in zip(seen := lives(steps, any_job()), seen[1:], strict=False):
        assert after.revision == before.revision + 1 or (after == before and before.hosted and before.hosted.ids)


@given(STEPS)
def test_finished_job_never_changes(steps: list[tuple[str, float]]) -> None:
    """But for the trying of its webhook."""
    over = [job for job in lives(steps, any_job()) if job.over]
    for job in over:
        assert replace(job, webhook=None, revision=0) == replace(over[0], webhook=None, revision=0)
        assert job.lease is None
        assert job.due is None
        assert not job.claimable(NOW * 2)


@given(STEPS)
def test_statuses_follow_each_other(steps: list[tuple[str, float]]) -> None:
    job = lives(steps, any_job())[-1]
    for before, after in zip(job.changes, job.changes[1:], strict=False):
        assert after.status in FOLLOWS[before.status]


@given(STEPS)
def test_change_is_told_the_same_for_ever(steps: list[tuple[str, float]]) -> None:
    told: dict[int, object] = {}
    for job in lives(steps, any_job()):
        for sequence in range(1, job.sequence + 1):
            shown = view(as_of(job, sequence), NOT_TOLD, None)
            assert told.setdefault(sequence, shown) == shown
            assert shown["status"] == job.changes[sequence - 1].status


@given(STEPS)
def test_times_tell_of_the_status(steps: list[tuple[str, float]]) -> None:
    for job in lives(steps, any_job()):
        assert (job.finished_at is not None) == job.over == (job.status in OVER)
        assert (job.webhook_at is not None) == job.over
        assert job.status != "queued" or job.started_at is None
        assert job.status != "running" or job.started_at is not None


@given(STEPS)
def test_money_is_never_negative_and_tries_are_counted(steps: list[tuple[str, float]]) -> None:
    for job in lives(steps, any_job()):
        assert job.usd >= 0
        assert job.tries == sum(change.cause == "started" for change in job.changes)


@given(STEPS)
def test_job_is_read_as_it_was_stored(steps: list[tuple[str, float]]) -> None:
    for job in lives(steps, any_job()):
        assert unpacked(packed(job)) == job
        assert sought(job)["due"] == job.due


def test_fields_of_a_later_release_are_left_out() -> None:
    job = job_steps.claimed(any_job(), "worker", NOW + 1, LEASE_S)
    body = json.loads(json.dumps(as_document(job)))
    body["colour"] = body["lease"]["colour"] = body["webhook"]["colour"] = body["changes"][0]["colour"] = "blue"
    assert from_document(body) == job


def test_new_job_is_queued_and_free() -> None:
    job = any_job()
    assert (job.status, job.sequence, job.revision) == ("queued", 1, 1)
    assert job.claimable(NOW)
    assert (job.started_at, job.finished_at) == (None, None)


def test_held_job_is_free_when_its_lease_ends() -> None:
    job = job_steps.claimed(any_job(), "worker", NOW, LEASE_S)
    assert not job.claimable(NOW + LEASE_S - 0.1)
    assert job.claimable(NOW + LEASE_S)
    assert job_steps.renewed(job, NOW + 10, LEASE_S).due == NOW + 10 + LEASE_S


def test_dead_worker_leaves_a_death_and_no_failure() -> None:
    job = job_steps.started(job_steps.claimed(any_job(), "a", NOW, LEASE_S), NOW + 1, "subnet")
    again = job_steps.claimed(job, "b", NOW + 60, LEASE_S)
    assert (again.status, again.changes[-1].cause) == ("queued", "lost")
    assert (again.deaths, again.failures) == (1, 0)


def test_job_is_found_again_at_its_provider_after_a_death() -> None:
    job = job_steps.claimed(any_job(), "a", NOW, LEASE_S)
    job = job_steps.starting(job, Hosted("replicate", "owner/svd", 0, NOW, 0.06))
    job = job_steps.started(job_steps.found(job, ("p1",)), NOW + 1, "replicate")
    again = job_steps.claimed(job, "b", NOW + 60, LEASE_S)
    assert again.hosted is not None
    assert again.hosted.ids == ("p1",)
    assert again.usd == 0.06


def test_first_told_ids_are_kept() -> None:
    job = job_steps.starting(job_steps.claimed(any_job(), "a", NOW, LEASE_S), Hosted("replicate", "owner/svd", 0, NOW))
    first = job_steps.found(job, ("p1",))
    assert job_steps.found(first, ("p2",)) == first


def test_progress_does_not_go_back() -> None:
    job = job_steps.starting(job_steps.claimed(any_job(), "a", NOW, LEASE_S), Hosted("replicate", "owner/svd", 0, NOW))
    for told in (0.2, 0.6, 0.4):
        job = job_steps.renewed(job, NOW, LEASE_S, progress=told)
    assert job.hosted is not None
    assert job.hosted.progress == 0.6
    assert job.sequence == 1


def test_fifth_failure_of_its_own_is_the_last() -> None:
    job, now, pauses = any_job(), NOW, []
    while not job.over:
        job = job_steps.failed_once(job_steps.claimed(job, "a", now, LEASE_S), now, WRONG)
        pauses.append(job.not_before - now)
        now += 200
    assert (job.status, job.failures, job.error) == ("failed", 5, WRONG)
    assert pauses[:4] == [2, 4, 8, 16]


def test_job_to_which_too_much_happened_is_worn_out() -> None:
    """So that no document grows without bound, whatever kills its workers."""
    job, now = any_job(), NOW
    while not job.worn_out:
        job = job_steps.started(job_steps.claimed(job, "a", now, LEASE_S), now, "subnet")
        now += 60
    assert job.sequence <= MOST_CHANGES
    assert job_steps.failed_once(job_steps.claimed(job, "a", now, LEASE_S), now, WRONG).status == "failed"


def test_document_stays_small_whatever_was_said() -> None:
    job = job_steps.failed(any_job(), NOW, Problem("failed", "x" * 10_000_000))
    assert len(packed(job)) < 10_000


def test_handed_back_job_is_taken_up_at_once() -> None:
    job = job_steps.started(job_steps.claimed(any_job(), "a", NOW, LEASE_S), NOW, "subnet")
    back = job_steps.handed_back(job, NOW + 3)
    assert (back.status, back.deaths, back.claimable(NOW + 3)) == ("queued", 0, True)
