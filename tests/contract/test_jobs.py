"""What every store of jobs holds to."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from spillway.adapters.firestore_jobs import FirestoreJobs
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Hosted, Job, Problem, Webhook
from spillway.errors import Conflict
from spillway.ports.jobs import Crowd, Jobs
from spillway.services.claiming import Claims
from support.jobs import LANE, NOW, new_job

LATER = NOW + 100
LEASE_S = 30.0


@pytest.fixture(params=["memory", "sqlite", "firestore"])
async def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Jobs]:
    made: Jobs
    if request.param == "memory":
        made = MemoryJobs()
    elif request.param == "sqlite":
        made = SqliteJobs(tmp_path / "deep" / "state.db")
    else:
        request.getfixturevalue("firestore_host")
        # The first call of a Java process that has just started is slow.
        made = FirestoreJobs(f"test-{uuid.uuid4().hex[:12]}", timeout_s=20.0)
    yield made
    await made.close()


async def save(jobs: Jobs, job: Job) -> Job:
    await jobs.save(job)
    return job


async def claim(jobs: Jobs, job: Job, now: float = LATER) -> Job:
    return await save(jobs, job_steps.claimed(job, "worker", now, LEASE_S))


async def start(jobs: Jobs, job: Job, now: float = LATER) -> Job:
    return await save(jobs, job_steps.started(await claim(jobs, job, now), now, "subnet"))


async def finish(jobs: Jobs, job: Job, now: float = LATER) -> Job:
    return await save(jobs, job_steps.succeeded(await start(jobs, job, now), now, f"results/{job.id}", "svd"))


def ids(found: list[Job]) -> list[str]:
    return [job.id for job in found]


async def test_unknown_job_is_none(jobs: Jobs) -> None:
    for name in ("nobody", "", ".", "..", "a/b", "ü\x00", "__x__", "x" * 3000):
        assert await jobs.find(name) is None
    assert await jobs.find_many([]) == []
    assert await jobs.claimable(LANE, LATER) == []
    assert await jobs.crowd(LANE) == Crowd(0, 0)


async def test_job_is_found_as_it_was_saved(jobs: Jobs) -> None:
    job = await jobs.add(new_job(webhook=Webhook("https://example.com/ü?a=1&b"), prefer="fallback", priority=2))
    assert await jobs.find(job.id) == job
    job = await claim(jobs, job)
    job = await save(jobs, job_steps.starting(job, Hosted("replicate", "owner/svd", 0, LATER, 0.06)))
    job = await save(jobs, job_steps.found(job, ("p1", "p2")))
    job = await save(jobs, job_steps.renewed(job, LATER, LEASE_S, progress=0.3))
    job = await save(jobs, job_steps.failed(job, LATER, Problem("refused", "größer 🎈 \x00")))
    assert await jobs.find(job.id) == job


async def test_job_is_added_once(jobs: Jobs) -> None:
    job = await jobs.add(new_job())
    with pytest.raises(Conflict):
        await jobs.add(replace(job, caller="ben"))
    assert await jobs.find(job.id) == job


async def test_many_are_found_at_once(jobs: Jobs) -> None:
    known = {(await jobs.add(new_job())).id for _ in range(5)}
    assert {job.id for job in await jobs.find_many([*known, *known, "nobody"])} == known


async def test_only_the_revision_before_is_written_over(jobs: Jobs) -> None:
    job = await jobs.add(new_job())
    first = job_steps.claimed(job, "a", LATER, LEASE_S)
    await jobs.save(first)
    for stale in (first, job, job_steps.claimed(job, "b", LATER, LEASE_S), replace(job, revision=7)):
        with pytest.raises(Conflict):
            await jobs.save(stale)
    assert await jobs.find(job.id) == first
    with pytest.raises(Conflict):
        await jobs.save(replace(new_job(), revision=2))


async def test_one_of_many_workers_claims(jobs: Jobs) -> None:
    job = await jobs.add(new_job())
    claims = [jobs.save(job_steps.claimed(job, str(number), LATER, LEASE_S)) for number in range(20)]
    made = await asyncio.gather(*claims, return_exceptions=True)
    assert [type(one) for one in made if one] == [Conflict] * 19
    found = await jobs.find(job.id)
    assert found is not None
    assert found.lease is not None
    assert made[int(found.lease.holder)] is None


async def test_no_step_is_lost_between_many(jobs: Jobs) -> None:
    job = await claim(jobs, await jobs.add(new_job()))

    async def renew(times: int) -> None:
        while times:
            found = await jobs.find(job.id)
            assert found is not None
            try:
                await jobs.save(job_steps.renewed(found, LATER, LEASE_S))
                times -= 1
            except Conflict:
                await asyncio.sleep(random.uniform(0, 0.02))

    await asyncio.gather(*(renew(5) for _ in range(6)))
    found = await jobs.find(job.id)
    assert found is not None
    assert found.revision == job.revision + 30


async def test_callers_take_turns(jobs: Jobs) -> None:
    anna = [await jobs.add(new_job(caller="anna")) for _ in range(20)]
    ben = [await jobs.add(new_job(caller="ben")) for _ in range(2)]
    order = ids(await jobs.claimable(LANE, LATER, 30))
    assert order[:5] == [anna[0].id, ben[0].id, anna[1].id, ben[1].id, anna[2].id]
    assert [job.rank for job in (anna[0], anna[19], ben[0], ben[1])] == [0, 19, 0, 1]


async def test_jobs_added_at_once_are_turns_of_their_own(jobs: Jobs) -> None:
    added = await asyncio.gather(*(jobs.add(new_job()) for _ in range(40)))
    assert sorted(job.rank for job in added) == list(range(40))


async def test_newcomer_stands_at_the_head(jobs: Jobs) -> None:
    anna = [await jobs.add(new_job(caller="anna")) for _ in range(10)]
    for job in anna[:5]:
        await finish(jobs, job)
    ben = await jobs.add(new_job(caller="ben", created_at=LATER))
    assert ben.rank == 5
    assert ids(await jobs.claimable(LANE, LATER, 2)) == [anna[5].id, ben.id]


async def test_ten_workers_at_once_take_ten_jobs(jobs: Jobs) -> None:
    added = await asyncio.gather(*(jobs.add(new_job()) for _ in range(20)))
    workers = [
        Claims(jobs, str(number), lease_s=LEASE_S, epoch=lambda: LATER, chance=Random(number)) for number in range(10)
    ]
    for _ in range(2):
        taken = await asyncio.gather(*(worker.take(LANE) for worker in workers))
        assert len({job.id for job in taken if job}) == 10
    assert await asyncio.gather(*(worker.take(LANE) for worker in workers)) == [None] * 10
    assert len(await jobs.claimable(LANE, LATER + LEASE_S, 99)) == len(added)


async def test_newcomer_stands_before_jobs_that_workers_hold_but_nobody_serves(jobs: Jobs) -> None:
    anna = [await jobs.add(new_job(caller="anna")) for _ in range(10)]
    for job in anna[:5]:
        await claim(jobs, job)
    ben = await jobs.add(new_job(caller="ben", created_at=LATER))
    assert (ben.rank, await jobs.ahead(ben)) == (0, 1)
    assert ids(await jobs.claimable(LANE, LATER, 2)) == [ben.id, anna[5].id]


async def test_newcomer_does_not_stand_with_jobs_that_were_put_off(jobs: Jobs) -> None:
    old, *rest = [await jobs.add(new_job(caller="anna")) for _ in range(4)]
    await save(jobs, job_steps.put_off(await claim(jobs, old), LATER, 60))
    await finish(jobs, rest[0])
    assert (await jobs.add(new_job(caller="ben", created_at=LATER))).rank == 2


async def test_newcomer_stands_with_the_running_where_nobody_waits(jobs: Jobs) -> None:
    anna = [await jobs.add(new_job(caller="anna")) for _ in range(3)]
    await finish(jobs, anna[0])
    await start(jobs, anna[1])
    await start(jobs, anna[2])
    assert (await jobs.add(new_job(caller="ben", created_at=LATER))).rank == 1


async def test_lanes_are_apart(jobs: Jobs) -> None:
    long = "text-to-image " + "x" * 5000
    one = await jobs.add(new_job(lane=long + "a"))
    two = await jobs.add(new_job(lane=long + "b"))
    assert (one.rank, two.rank) == (0, 0)
    assert ids(await jobs.claimable(long + "b", LATER, 5)) == [two.id]
    assert await jobs.crowd(long + "a") == Crowd(1, 0)
    assert await jobs.ahead(two) == 0


async def test_held_and_later_jobs_are_not_claimable(jobs: Jobs) -> None:
    held, put_off, free = [await jobs.add(new_job()) for _ in range(3)]
    await start(jobs, held)
    await save(jobs, job_steps.put_off(await claim(jobs, put_off), LATER, 60))
    assert ids(await jobs.claimable(LANE, LATER + 1, 9)) == [free.id]
    assert ids(await jobs.claimable(LANE, LATER + LEASE_S, 9)) == [held.id, free.id]
    assert ids(await jobs.claimable(LANE, LATER + 60, 9)) == [held.id, put_off.id, free.id]
    assert ids(await jobs.claimable(LANE, LATER + 60)) == [held.id]


async def test_finished_job_is_claimable_never_more(jobs: Jobs) -> None:
    await finish(jobs, await jobs.add(new_job()))
    await save(jobs, job_steps.canceled(await jobs.add(new_job()), LATER))
    assert await jobs.claimable(LANE, LATER * 2, 9) == []
    assert await jobs.waiting(LATER * 2) == []


async def test_position_counts_the_queued_before(jobs: Jobs) -> None:
    first, second, third = [await jobs.add(new_job()) for _ in range(3)]
    assert [await jobs.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    await start(jobs, first)
    assert await jobs.ahead(third) == 1
    await claim(jobs, second)
    assert await jobs.ahead(third) == 1
    assert await jobs.crowd(LANE) == Crowd(2, 1)
    await save(jobs, job_steps.canceled(third, LATER))
    assert await jobs.crowd(LANE) == Crowd(1, 1)


async def test_sweep_finds_claimable_jobs_of_all_lanes(jobs: Jobs) -> None:
    late, early = (
        await jobs.add(new_job(not_before=NOW + 20)),
        await jobs.add(new_job(lane="upscale x", not_before=NOW)),
    )
    await claim(jobs, await jobs.add(new_job()))
    assert ids(await jobs.waiting(LATER)) == [early.id, late.id]
    assert ids(await jobs.waiting(LATER, limit=1)) == [early.id]
    assert ids(await jobs.waiting(NOW)) == [early.id]


async def test_webhooks_are_found_when_they_are_due(jobs: Jobs) -> None:
    hook = Webhook("https://example.com")
    two = await finish(jobs, await jobs.add(new_job(webhook=hook)), LATER + 2)
    one = await finish(jobs, await jobs.add(new_job(webhook=hook)), LATER + 1)
    await finish(jobs, await jobs.add(new_job()))
    await start(jobs, await jobs.add(new_job(webhook=hook)))
    assert await jobs.unsent(LATER) == []
    assert ids(await jobs.unsent(LATER + 9)) == [one.id, two.id]
    assert ids(await jobs.unsent(LATER + 9, limit=1)) == [one.id]
    one = await save(jobs, job_steps.posted(one, LATER + 9, delivered=True, next_at=None))
    await save(jobs, job_steps.posted(two, LATER + 9, delivered=False, next_at=LATER + 20))
    assert await jobs.unsent(LATER + 10) == []
    assert ids(await jobs.unsent(LATER + 20)) == [two.id]
    assert await jobs.find(one.id) == one


async def test_changes_are_told_and_renewals_are_not(jobs: Jobs) -> None:
    first = await jobs.add(new_job())
    second = await start(jobs, await jobs.add(new_job()), LATER)
    await jobs.save(job_steps.renewed(second, LATER + 10, LEASE_S))
    everything = [(first.id, 1, first.created_at), (second.id, 2, LATER)]
    assert [tuple(one) for one in await jobs.changed_since(NOW)] == everything
    assert [tuple(one) for one in await jobs.changed_since(LATER)] == everything[1:]
    assert [tuple(one) for one in await jobs.changed_since(NOW, limit=1)] == everything[:1]
    assert await jobs.changed_since(LATER + 1) == []


async def test_finished_jobs_are_found_and_forgotten(jobs: Jobs) -> None:
    new = await finish(jobs, await jobs.add(new_job()), LATER + 2)
    old = await finish(jobs, await jobs.add(new_job()), LATER + 1)
    await start(jobs, await jobs.add(new_job()))
    assert ids(await jobs.finished_before(LATER + 9)) == [old.id, new.id]
    assert ids(await jobs.finished_before(LATER + 9, limit=1)) == [old.id]
    assert ids(await jobs.finished_before(LATER + 2)) == [old.id]
    await jobs.remove(old.id)
    await jobs.remove(old.id)
    assert await jobs.find(old.id) is None
    assert ids(await jobs.finished_before(LATER + 9)) == [new.id]
