"""Workers that want the same lane's jobs."""

import asyncio
from random import Random

import pytest

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.services.claiming import Claims
from support.jobs import LANE, NOW, new_job


class SlowJobs(MemoryJobs):
    """Gives others time between a look and a write, as every store over a network does."""

    writes = 0

    async def claimable(self, lane: str, now: float, limit: int = 1) -> list[Job]:
        found = await super().claimable(lane, now, limit)
        await asyncio.sleep(0)
        return found

    async def save(self, job: Job) -> None:
        self.writes += 1
        await asyncio.sleep(0)
        await super().save(job)


class TakenJobs(MemoryJobs):
    """Others are always faster."""

    async def save(self, job: Job) -> None:
        raise Conflict(f"job {job.id} was changed meanwhile")


def claims(jobs: MemoryJobs, holder: str = "a") -> Claims:
    return Claims(jobs, holder, lease_s=30, epoch=lambda: NOW + 100, chance=Random(holder))


async def test_lone_worker_takes_jobs_in_their_order() -> None:
    jobs = MemoryJobs()
    added = [await jobs.add(new_job()) for _ in range(5)]
    taken = [await claims(jobs).take(LANE) for _ in added]
    assert [job.id for job in taken if job] == [job.id for job in added]


async def test_empty_lane_gives_nothing() -> None:
    assert await claims(MemoryJobs()).take(LANE) is None


async def test_taken_job_is_held() -> None:
    jobs = MemoryJobs()
    job = await jobs.add(new_job())
    held = await claims(jobs, "ben").take(LANE)
    assert held is not None
    assert held == await jobs.find(job.id)
    assert held.lease is not None
    assert (held.lease.holder, held.lease.until) == ("ben", NOW + 130)


async def test_ten_workers_at_once_take_ten_jobs_with_few_conflicts() -> None:
    jobs = SlowJobs()
    added = [await jobs.add(new_job()) for _ in range(30)]
    taken = await asyncio.gather(*(claims(jobs, str(number)).take(LANE) for number in range(10)))
    assert len({job.id for job in taken if job}) == 10
    assert added[0].id in {job.id for job in taken if job}
    assert jobs.writes <= 40


async def test_more_workers_than_jobs_end_empty_handed() -> None:
    jobs = SlowJobs()
    for _ in range(3):
        await jobs.add(new_job())
    taken = await asyncio.gather(*(claims(jobs, str(number)).take(LANE) for number in range(10)))
    assert sum(job is not None for job in taken) == 3


async def test_who_is_always_too_late_says_so() -> None:
    jobs = TakenJobs()
    await jobs.add(new_job())
    with pytest.raises(Conflict):
        await claims(jobs).take(LANE)
