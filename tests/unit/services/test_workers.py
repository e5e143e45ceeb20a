"""What a worker writes for each way in which a run may go, and in whose turn it runs them."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from spillway.adapters.local_queue import LocalQueue
from spillway.adapters.memory_files import MemoryFiles
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.job_steps import MOST_FAILURES
from spillway.domain.jobs import Change, Job
from spillway.errors import (
    BrokenAnswer,
    ContentRefused,
    NobodyAnswered,
    Postponed,
    QueueUnavailable,
    StoreUnavailable,
)
from spillway.services.claiming import Claims
from spillway.services.holding import Hold
from spillway.services.reminding import remind
from spillway.services.workers import Desk, Worker
from support.jobs import LANE, new_job

Go = Callable[[Hold], Awaitable[None]]


class Clock:
    """Epoch seconds, which go by by themselves, and further when a test says so."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


class Runs:
    """In place of services.running: each run goes as a test says."""

    def __init__(self, go: Go):
        self._go = go
        self.ran: list[str] = []
        self.dropped: list[str] = []

    async def run(self, hold: Hold) -> None:
        """As Running has it."""
        self.ran.append(hold.job.id)
        await self._go(hold)

    async def drop(self, job: Job) -> None:
        """As Running has it."""
        self.dropped.append(job.id)


class Told:
    """In place of the deliveries of webhooks: notes who has ended."""

    def __init__(self) -> None:
        self.finished_jobs: list[str] = []

    def finished(self, job: Job) -> None:
        """As Deliveries has it."""
        self.finished_jobs.append(job.id)


class DeadLetters(LocalQueue):
    """A queue that notes its dead letters, or can't take any."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.letters: list[str] = []
        self._broken = broken

    async def dead(self, job: Job) -> None:
        if self._broken:
            raise QueueUnavailable("away")
        self.letters.append(job.id)


class Scene:
    """A worker with everything in memory."""

    def __init__(self, go: Go, *, queue: DeadLetters | None = None):
        self.jobs, self.files, self.queue = MemoryJobs(), MemoryFiles(), queue or DeadLetters()
        self.clock, self.runs, self.told = Clock(), Runs(go), Told()
        self.worker = self.hire("worker-1")

    def hire(self, name: str) -> Worker:
        """One more worker over the same."""
        claims = Claims(self.jobs, name, lease_s=30.0, epoch=self.clock, chance=Random(1))
        desk = Desk(self.jobs, self.queue, self.files, self.told, lambda: claims)  # type: ignore[arg-type]
        return Worker(desk, self.runs, epoch=self.clock, renew_s=0.05)  # type: ignore[arg-type]

    async def add(self, caller: str = "anna", expires_s: float = 3600.0) -> Job:
        """One more job, with its input."""
        now = self.clock()
        job = await self.jobs.add(
            new_job(caller=caller, created_at=now, queue_until=now + 60, expires_at=now + expires_s)
        )
        await self.files.write(job.input, io.BytesIO(b"{}"))
        return job

    async def work(self) -> None:
        """One message's work."""
        await self.worker.work(LANE, "whichever")

    async def now(self, job: Job) -> Job:
        """A job as it is stored."""
        found = await self.jobs.find(job.id)
        assert found is not None
        return found


async def succeed(hold: Hold) -> None:
    """A run that goes well."""
    await hold.step(lambda job: job_steps.started(job, hold.epoch(), "subnet"))
    await hold.step(lambda job: job_steps.succeeded(job, hold.epoch(), f"results/{job.id}", "svd"))


def fail(error: Exception) -> Go:
    """A run that fails on the way."""

    async def run(hold: Hold) -> None:
        await hold.step(lambda job: job_steps.started(job, hold.epoch(), "subnet"))
        raise error

    return run


async def forever(hold: Hold) -> None:
    """A run without an end."""
    await hold.step(lambda job: job_steps.started(job, hold.epoch(), "subnet"))
    await asyncio.Event().wait()


def causes(job: Job) -> list[str]:
    """What has happened to it."""
    return [change.cause for change in job.changes]


async def test_a_job_that_has_succeeded_is_announced_and_its_input_removed() -> None:
    scene = Scene(succeed)
    job = await scene.add()
    await scene.work()
    assert causes(await scene.now(job)) == ["accepted", "started", "done"]
    assert (scene.told.finished_jobs, await scene.files.read(job.input)) == ([job.id], None)


async def test_a_message_too_many_finds_nothing_to_do() -> None:
    scene = Scene(succeed)
    await scene.work()
    await scene.add()
    await scene.work()
    await scene.work()
    assert len(scene.runs.ran) == 1


async def test_the_callers_own_error_ends_a_job_at_once() -> None:
    scene = Scene(fail(ContentRefused("not this")))
    job = await scene.add()
    await scene.work()
    ended = await scene.now(job)
    assert ended.error is not None
    assert (ended.status, ended.error.code, ended.failures) == ("failed", "content_refused", 0)
    assert (scene.queue.letters, scene.told.finished_jobs) == ([], [job.id])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NobodyAnswered([("subnet", BrokenAnswer("cut"))], late=False), "no_capacity"),
        (ZeroDivisionError("a fault of the house"), "internal_error"),
    ],
)
async def test_after_five_failures_of_its_own_a_job_is_a_dead_letter(error: Exception, code: str) -> None:
    scene = Scene(fail(error))
    job = await scene.add()
    for _ in range(MOST_FAILURES):
        task = asyncio.create_task(scene.work())
        await asyncio.sleep(0.05)
        scene.clock.ahead_s += 200.0
        task.cancel()
        await asyncio.wait([task])
    ended = await scene.now(job)
    assert ended.error is not None
    assert (ended.status, ended.error.code, ended.failures) == ("failed", code, MOST_FAILURES)
    assert (len(scene.runs.ran), scene.queue.letters) == (MOST_FAILURES, [job.id])
    assert "ZeroDivision" not in ended.error.message


async def test_a_queue_that_takes_no_dead_letter_keeps_no_job_from_ending() -> None:
    scene = Scene(fail(BrokenAnswer("cut")), queue=DeadLetters(broken=True))
    job = await scene.add()
    scene.jobs._kept[job.id] = job_steps.replace(job, failures=MOST_FAILURES - 1)
    await scene.work()
    assert (await scene.now(job)).status == "failed"


async def test_a_failure_is_followed_by_another_try_in_the_same_hand() -> None:
    tries: list[int] = []

    async def second_time_lucky(hold: Hold) -> None:
        tries.append(1)
        await (fail(BrokenAnswer("cut")) if len(tries) == 1 else succeed)(hold)

    scene = Scene(second_time_lucky)
    job = await scene.add()
    await asyncio.wait_for(scene.work(), 10.0)
    assert causes(await scene.now(job)) == ["accepted", "started", "failed-once", "started", "done"]


@pytest.mark.parametrize("error", [Postponed("no money", pause_s=60.0), StoreUnavailable("no files")])
async def test_what_is_not_the_jobs_own_failure_is_put_off(error: Exception) -> None:
    scene = Scene(fail(error))
    job = await scene.add()
    task = asyncio.create_task(scene.work())
    await asyncio.sleep(0.1)
    left = await scene.now(job)
    assert (causes(left), left.failures, left.lease) == (["accepted", "started", "put-off"], 0, None)
    assert left.not_before > scene.clock() + 3.0
    task.cancel()
    await asyncio.wait([task])


async def test_a_job_whose_time_is_over_has_failed_and_is_dropped_at_its_provider() -> None:
    scene = Scene(forever)
    job = await scene.add(expires_s=0.2)
    await asyncio.wait_for(scene.work(), 5.0)
    ended = await scene.now(job)
    assert ended.error is not None
    assert (ended.status, ended.error.code, scene.runs.dropped) == ("failed", "expired", [job.id])


async def test_a_job_that_was_lost_too_often_is_not_tried_again() -> None:
    scene = Scene(forever)
    job = await scene.add()
    changes = [Change(n, job.created_at, "queued", "lost") for n in range(1, 98)]
    scene.jobs._kept[job.id] = job_steps.replace(job, changes=tuple(changes))
    await scene.work()
    ended = await scene.now(job)
    assert ended.error is not None
    assert (ended.error.code, scene.runs.ran) == ("worn_out", [])


async def test_who_works_on_a_canceled_job_finds_out_with_the_next_renewal() -> None:
    scene = Scene(forever)
    job = await scene.add()
    working = asyncio.create_task(scene.work())
    await asyncio.sleep(0.02)
    await scene.jobs.save(job_steps.canceled(await scene.now(job), scene.clock()))
    await asyncio.wait_for(working, 2.0)
    assert causes(await scene.now(job)) == ["accepted", "started", "canceled"]
    assert scene.worker.busy == 0


async def test_a_worker_that_stops_hands_back_all_that_it_has_and_takes_nothing_more() -> None:
    scene = Scene(forever)
    jobs = [await scene.add() for _ in range(5)]
    working = [asyncio.create_task(scene.work()) for _ in jobs]
    await asyncio.sleep(0.05)
    assert scene.worker.busy == 5
    began = time.monotonic()
    await scene.worker.stop()
    await asyncio.wait_for(asyncio.gather(*working), 2.0)
    assert time.monotonic() - began < 2.0
    for job in jobs:
        assert causes(await scene.now(job)) == ["accepted", "started", "handed-back"]
    await scene.work()
    assert len(scene.runs.ran) == 5


async def test_what_was_handed_back_is_taken_up_at_once_by_another() -> None:
    scene = Scene(forever)
    job = await scene.add()
    working = asyncio.create_task(scene.work())
    await asyncio.sleep(0.05)
    await scene.worker.stop()
    await working
    scene.runs._go = succeed
    await scene.hire("worker-2").work(LANE, job.id)
    ended = await scene.now(job)
    assert (ended.status, ended.deaths, ended.failures) == ("succeeded", 0, 0)


@pytest.mark.parametrize("lives", [False, True])
async def test_a_word_that_comes_again_waits_until_a_dead_workers_lease_ends(lives: bool) -> None:
    """A worker that lives renews its lease meanwhile, and keeps its job."""
    scene = Scene(succeed)
    job = await scene.add()
    claimed = job_steps.claimed(job, "worker-2", scene.clock(), 0.3)
    held = job_steps.started(claimed, scene.clock(), "subnet")
    for step in (claimed, held):
        await scene.jobs.save(step)
    working = asyncio.create_task(scene.worker.work(LANE, job.id))
    await asyncio.sleep(0.05)
    if lives:
        await scene.jobs.save(job_steps.renewed(held, scene.clock(), 30.0))
    await asyncio.wait_for(working, 5.0)
    taken_up = [] if lives else ["lost", "started", "done"]
    assert causes(await scene.now(job)) == ["accepted", "started", *taken_up]


async def test_who_waits_for_a_lease_to_end_holds_no_stop_up() -> None:
    scene = Scene(succeed)
    job = await scene.add()
    await scene.jobs.save(job_steps.claimed(job, "worker-2", scene.clock(), 30.0))
    working = asyncio.create_task(scene.worker.work(LANE, job.id))
    await asyncio.sleep(0.05)
    assert not working.done()
    await scene.worker.stop()
    await asyncio.wait_for(working, 2.0)
    assert scene.runs.ran == []


async def test_who_has_a_thousand_jobs_does_not_starve_another() -> None:
    scene = Scene(succeed)
    for _ in range(1000):
        await scene.jobs.add(new_job(caller="anna", created_at=scene.clock(), expires_at=scene.clock() + 3600))
    for _ in range(20):
        await scene.work()
    first = await scene.add(caller="bert")
    for _ in range(3):
        await scene.work()
    assert (await scene.now(first)).status == "succeeded"
    assert len(scene.runs.ran) <= 23


async def test_a_lane_that_is_full_of_work_keeps_no_other_waiting() -> None:
    scene = Scene(forever)
    for _ in range(50):
        await scene.jobs.add(new_job(created_at=scene.clock(), expires_at=scene.clock() + 3600))
    other = await scene.jobs.add(
        new_job(lane="text-to-image any", created_at=scene.clock(), expires_at=scene.clock() + 3600)
    )
    await remind(scene.jobs, scene.queue, epoch=scene.clock)
    working = asyncio.create_task(scene.queue.run(scene.worker.work))
    await asyncio.sleep(0.2)
    assert (await scene.now(other)).status == "running"
    working.cancel()
    await asyncio.wait([working])
    assert {job.status for job in scene.jobs._kept.values()} == {"queued"}


async def test_one_jobs_trouble_ends_no_work_on_others() -> None:
    worked: list[str] = []

    async def work(lane: str, job_id: str) -> None:
        if job_id == "first":
            raise ZeroDivisionError("a fault of the house")
        worked.append(job_id)

    queue = LocalQueue()
    await queue.tell(LANE, "first")
    running = asyncio.create_task(queue.run(work))
    await asyncio.sleep(0.02)
    await queue.tell(LANE, "second")
    await asyncio.sleep(0.02)
    assert (worked, running.done()) == (["second"], False)
    running.cancel()
    await asyncio.wait([running])
