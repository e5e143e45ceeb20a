"""What is kept, and for how long."""

import io

import pytest

from spillway.adapters.memory_artifacts import MemoryArtifacts
from spillway.adapters.memory_files import MemoryFiles
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Job
from spillway.services.retention import Forgotten, Retention, Terms
from support.jobs import new_job

HOUR_S, DAY_S = 3600.0, 86_400.0


class Shelf:
    """Jobs, files and artifacts under one clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.jobs = MemoryJobs()
        self.files = MemoryFiles(epoch=lambda: self.now)
        self.artifacts = MemoryArtifacts(epoch=lambda: self.now)
        self.retention = Retention(
            self.jobs, self.files, self.artifacts, Terms(DAY_S, 7 * DAY_S), epoch=lambda: self.now
        )

    async def accepted(self) -> Job:
        """A job of this moment, with its input."""
        job = await self.jobs.add(new_job(created_at=self.now))
        await self.files.write(job.input, io.BytesIO(b"input"))
        return job

    async def finished(self) -> Job:
        """One that is done, its input left behind."""
        job = job_steps.claimed(await self.accepted(), "a", self.now, 30)
        await self.jobs.save(job)
        await self.files.write(f"results/{job.id}", io.BytesIO(b"{}"))
        job = job_steps.succeeded(job, self.now, f"results/{job.id}", "svd")
        await self.jobs.save(job)
        return job

    async def kept(self, name: str | None) -> bool:
        """Whether the file is there."""
        assert name is not None
        return await self.files.read(name) is not None


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_input_goes_a_day_after_its_job_and_the_job_after_a_week(shelf: Shelf) -> None:
    job = await shelf.finished()
    shelf.now = DAY_S - 1
    assert await shelf.retention.sweep() == Forgotten(0, 0, 0)
    assert await shelf.kept(job.input)
    shelf.now = DAY_S + 1
    assert await shelf.retention.sweep() == Forgotten(0, 1, 0)
    assert not await shelf.kept(job.input)
    assert await shelf.kept(job.result)
    shelf.now = 7 * DAY_S + 1
    assert await shelf.retention.sweep() == Forgotten(1, 0, 0)
    assert not await shelf.kept(job.result)
    assert await shelf.jobs.find(job.id) is None


async def test_living_job_keeps_its_input(shelf: Shelf) -> None:
    job = await shelf.accepted()
    shelf.now = 3 * DAY_S
    assert await shelf.retention.sweep() == Forgotten(0, 0, 0)
    assert await shelf.kept(job.input)


async def test_files_without_a_job_go_too(shelf: Shelf) -> None:
    """A process may have died between the file and the job."""
    await shelf.files.write("inputs/nobody", io.BytesIO(b"x"))
    await shelf.files.write("results/nobody", io.BytesIO(b"x"))
    shelf.now = DAY_S + 1
    assert await shelf.retention.sweep() == Forgotten(0, 1, 0)
    assert await shelf.kept("results/nobody")
    shelf.now = 8 * DAY_S + 1
    assert await shelf.retention.sweep() == Forgotten(0, 1, 0)


async def test_many_go_a_few_hundred_at_a_time(shelf: Shelf) -> None:
    for _ in range(520):
        await shelf.finished()
    shelf.now = 7 * DAY_S + 1
    first, second = await shelf.retention.sweep(), await shelf.retention.sweep()
    assert (first.jobs, second.jobs) == (500, 20)
    assert await shelf.files.old("inputs", shelf.now + 1) == []
    assert await shelf.files.old("results", shelf.now + 1) == []


async def test_artifacts_go_a_week_after_they_were_kept_last(shelf: Shelf) -> None:
    first = await shelf.artifacts.put(io.BytesIO(b"1"), "image/png")
    again = await shelf.artifacts.put(io.BytesIO(b"2"), "image/png")
    shelf.now = 4 * DAY_S
    await shelf.artifacts.put(io.BytesIO(b"2"), "image/png")
    shelf.now = 7 * DAY_S + 1
    assert (await shelf.retention.sweep()).artifacts == 1
    assert await shelf.artifacts.find(first.key) is None
    assert await shelf.artifacts.find(again.key) == again


async def test_artifacts_are_gone_through_once_an_hour(shelf: Shelf) -> None:
    await shelf.artifacts.put(io.BytesIO(b"1"), "image/png")
    shelf.now = 7 * DAY_S - 1
    assert (await shelf.retention.sweep()).artifacts == 0
    shelf.now += HOUR_S - 1
    assert (await shelf.retention.sweep()).artifacts == 0
    shelf.now += 1
    assert (await shelf.retention.sweep()).artifacts == 1
