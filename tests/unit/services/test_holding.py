"""A step is taken once, whatever the store's replies and others' writes; what is lost is known to be lost."""

import asyncio
import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Hosted, Job
from spillway.errors import Conflict, JobOver, StoreUnavailable
from spillway.services.holding import Hold
from support.jobs import NOW, new_job
from support.unsure_jobs import UnsureJobs

HOSTED = Hosted("replicate", "flux", 0, NOW, usd=0.003)


class Clock:
    """Epoch seconds that go by as real ones do."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return NOW + 10 + time.monotonic() - self._began + self.ahead_s


async def held(jobs: MemoryJobs, clock: Clock, *, lease_s: float = 30.0, renew_s: float = 10.0) -> Hold:
    """A job in a worker's hand."""
    job = await jobs.add(new_job())
    mine = job_steps.claimed(job, "me", clock(), lease_s)
    jobs._kept[job.id] = mine
    return Hold(jobs, mine, epoch=clock, lease_s=lease_s, renew_s=renew_s, retry_s=0.001)


async def write(jobs: MemoryJobs, job: Job) -> None:
    """Somebody else's write."""
    await MemoryJobs.save(jobs, job)


async def test_what_a_webhook_writes_meanwhile_is_kept() -> None:
    jobs, clock = MemoryJobs(), Clock()
    hold = await held(jobs, clock)
    job = await hold.step(lambda job: job_steps.starting(job, HOSTED))
    await write(jobs, job_steps.found(job, ("abc",)))
    job = await hold.step(lambda job: job_steps.started(job, clock(), "replicate"))
    assert job.hosted is not None
    assert (job.hosted.ids, job.status, job.tries) == (("abc",), "running", 1)


async def test_a_job_that_its_caller_has_canceled_takes_no_step() -> None:
    jobs, clock = MemoryJobs(), Clock()
    hold = await held(jobs, clock)
    await write(jobs, job_steps.canceled(hold.job, clock()))
    with pytest.raises(JobOver):
        await hold.step(lambda job: job_steps.started(job, clock(), "subnet"))


async def test_a_job_in_another_workers_hand_takes_no_step() -> None:
    jobs, clock = MemoryJobs(), Clock()
    hold = await held(jobs, clock, lease_s=5.0)
    clock.ahead_s = 6.0
    await write(jobs, job_steps.claimed(hold.job, "another", clock(), 30.0))
    with pytest.raises(Conflict):
        await hold.step(lambda job: job_steps.started(job, clock(), "subnet"))


async def test_a_job_that_is_gone_takes_no_step() -> None:
    jobs, clock = MemoryJobs(), Clock()
    hold = await held(jobs, clock)
    await jobs.remove(hold.job.id)
    with pytest.raises(JobOver):
        await hold.step(lambda job: job_steps.started(job, clock(), "subnet"))


async def test_a_store_that_gives_no_answer_is_asked_until_the_lease_ends() -> None:
    jobs, clock = UnsureJobs(Random(1), lost=1.0), Clock()
    hold = await held(jobs, clock, lease_s=0.3)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await hold.step(lambda job: job_steps.started(job, clock(), "subnet"))
    assert time.monotonic() - began >= 0.25


async def test_the_lease_is_renewed_with_what_the_provider_says() -> None:
    jobs, clock = MemoryJobs(), Clock()
    hold = await held(jobs, clock, lease_s=0.3, renew_s=0.05)
    await hold.step(lambda job: job_steps.starting(job, HOSTED))
    keeping = asyncio.create_task(hold.keep())
    await hold.tell(0.05)
    await asyncio.sleep(0.5)
    assert not keeping.done()
    job = await jobs.find(hold.job.id)
    assert job is not None
    assert job.hosted is not None
    assert (job.claimable(clock()), job.hosted.progress, job.sequence) == (False, 0.05, 1)
    await write(jobs, job_steps.canceled(hold.job, clock()))
    with pytest.raises(JobOver):
        await asyncio.wait_for(keeping, 2.0)


async def test_progress_that_has_moved_much_is_written_at_once_and_never_back() -> None:
    jobs, clock = MemoryJobs(), Clock()
    hold = await held(jobs, clock)
    await hold.step(lambda job: job_steps.starting(job, HOSTED))
    for told in (0.4, 0.2, None, 0.45):
        await hold.tell(told)
    job = await jobs.find(hold.job.id)
    assert job is not None
    assert job.hosted is not None
    assert job.hosted.progress == 0.4


@given(st.integers(0, 2**32), st.floats(0.0, 0.4), st.floats(0.0, 0.5), st.booleans())
@settings(max_examples=80)
def test_whatever_replies_are_lost_each_step_is_in_the_history_once(
    seed: int, lost: float, unheard: float, hooked: bool
) -> None:
    async def played() -> None:
        jobs, clock = UnsureJobs(Random(seed), lost=lost, unheard=unheard), Clock()
        hold = await held(jobs, clock)
        await hold.step(lambda job: job_steps.starting(job, HOSTED))
        if hooked:
            latest = jobs._kept[hold.job.id]
            await write(jobs, job_steps.found(latest, ("abc",)))
        await hold.step(lambda job: job_steps.found(job, ("abc",)))
        await hold.step(lambda job: job_steps.started(job, clock(), "replicate"))
        await hold.step(lambda job: job_steps.succeeded(job, clock(), "results/x", "flux"))
        kept = jobs._kept[hold.job.id]
        assert [change.cause for change in kept.changes] == ["accepted", "started", "done"]
        assert [change.sequence for change in kept.changes] == [1, 2, 3]
        assert kept.hosted is not None
        assert (kept.usd, kept.tries, kept.hosted.ids, kept.result) == (0.003, 1, ("abc",), "results/x")
        assert replace(hold.job, revision=0) == replace(kept, revision=0)

    asyncio.run(played())
