"""What every queue holds to: a word that was told arrives where workers hear it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import grpc
import pytest

from contract.test_store import GOOGLES
from spillway.adapters import pubsub_topics
from spillway.adapters.local_queue import LocalQueue
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.adapters.pubsub_queue import PubSubQueue
from spillway.domain import job_steps
from spillway.domain.job_messages import Due, Sweep, due_message, read_message
from spillway.domain.jobs import Problem
from spillway.errors import QueueUnavailable, StoreUnavailable
from spillway.ports.jobs import Queue
from spillway.services.reminding import remind
from support.jobs import LANE, NOW, new_job
from support.topics import Topics

Heard = Callable[[int], Awaitable[list[Due | Sweep]]]
OTHER = "upscale " + "x" * 3000


@pytest.fixture(params=["local", "pubsub"])
async def told(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Queue, Heard]]:
    """A queue, and a way to wait for what workers hear of it."""
    if request.param == "local":
        local = LocalQueue()
        yield local, lambda count: heard_here(local, count)
        await local.close()
        return
    async with Topics(request.getfixturevalue("pubsub_host")) as topics:
        await topics.make("jobs")
        # The first call of a Java process that has just started is slow.
        queue = PubSubQueue(topics.project, "jobs", timeout_s=20)

        async def heard(count: int) -> list[Due | Sweep]:
            said = await topics.said("jobs", count)
            return [read_message(message.data, message.attributes) for message in said]

        yield queue, heard
        await queue.close()


async def heard_here(queue: LocalQueue, count: int) -> list[Due | Sweep]:
    found: list[Due | Sweep] = []
    enough = asyncio.Event()

    async def work(lane: str, job_id: str) -> None:
        found.append(Due(lane, job_id))
        if len(found) == count:
            enough.set()

    running = asyncio.create_task(queue.run(work))
    await asyncio.wait_for(enough.wait(), 20)
    await stop(running)
    return found


async def stop(running: "asyncio.Task[None]") -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_each_word_arrives(told: tuple[Queue, Heard]) -> None:
    queue, heard = told
    words = {(LANE, "job-1"), (LANE, "job-2"), (OTHER, "job-3"), ("größer 🎈", "job-4")}
    for lane, job_id in words:
        await queue.tell(lane, job_id)
    assert {(word.lane, word.job_id) for word in await heard(4) if isinstance(word, Due)} == words


async def test_after_a_restart_workers_hear_of_what_the_store_holds(told: tuple[Queue, Heard]) -> None:
    queue, heard = told
    jobs = MemoryJobs()
    waiting = [await jobs.add(new_job()) for _ in range(3)]
    held = await jobs.add(new_job())
    await jobs.save(job_steps.claimed(held, "dead", NOW + 10, 30))
    assert await remind(jobs, queue, epoch=lambda: NOW + 20) == 3
    assert {word.job_id for word in await heard(3) if isinstance(word, Due)} == {job.id for job in waiting}
    assert await remind(jobs, queue, epoch=lambda: NOW + 40) == 4


async def test_dead_letter_tells_why_and_nothing_of_the_caller(pubsub_host: str) -> None:
    job = new_job(caller="anna")
    for round_ in range(5):
        now = NOW + 1000 * (round_ + 1)
        job = job_steps.failed_once(job_steps.claimed(job, "a", now, 30), now, Problem("backends-failed", "nobody"))
    async with Topics(pubsub_host) as topics:
        await topics.make("jobs-dead")
        queue = PubSubQueue(topics.project, "jobs", timeout_s=20)
        await queue.dead(job)
        await queue.close()
        [message] = await topics.said("jobs-dead", 1)
    assert dict(message.attributes) == {"kind": "dead"}
    assert b"backends-failed" in message.data
    assert b"anna" not in message.data
    with pytest.raises(ValueError, match="no job"):
        read_message(message.data, message.attributes)


async def test_job_told_twice_is_worked_on_once_here() -> None:
    queue = LocalQueue()
    await queue.tell(LANE, "job-1")
    await queue.tell(LANE, "job-1")
    await queue.tell(LANE, "job-2")
    assert await heard_here(queue, 2) == [Due(LANE, "job-1"), Due(LANE, "job-2")]


async def test_slow_lane_keeps_no_other_waiting() -> None:
    queue, begun, other = LocalQueue(hands=2), 0, asyncio.Event()

    async def work(lane: str, job_id: str) -> None:
        nonlocal begun
        if lane == OTHER:
            other.set()
            return
        begun += 1
        await asyncio.sleep(3600)

    running = asyncio.create_task(queue.run(work))
    for number in range(5):
        await queue.tell(LANE, f"job-{number}")
    await queue.tell(OTHER, "job-9")
    await asyncio.wait_for(other.wait(), 20)
    assert begun == 2
    await stop(running)


async def test_work_that_fails_leaves_its_hand_free() -> None:
    queue, done = LocalQueue(hands=1), asyncio.Event()

    async def work(lane: str, job_id: str) -> None:
        if job_id == "job-1":
            raise StoreUnavailable("the state file is locked")
        done.set()

    running = asyncio.create_task(queue.run(work))
    await queue.tell(LANE, "job-1")
    await queue.tell(LANE, "job-2")
    await asyncio.wait_for(done.wait(), 20)
    await stop(running)


async def test_work_ends_before_its_queue_does() -> None:
    """So that a worker can hand its jobs back."""
    queue, begun, handed_back = LocalQueue(), asyncio.Event(), []

    async def work(lane: str, job_id: str) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            handed_back.append(job_id)

    running = asyncio.create_task(queue.run(work))
    await queue.tell(LANE, "job-1")
    await asyncio.wait_for(begun.wait(), 20)
    await stop(running)
    assert handed_back == ["job-1"]


async def test_missing_topic_is_unavailable(pubsub_host: str) -> None:
    queue = PubSubQueue("test-nobody", "jobs", timeout_s=20)
    with pytest.raises(QueueUnavailable, match="projects/test-nobody/topics/jobs"):
        await queue.tell(LANE, "job-1")
    await queue.close()


@pytest.mark.parametrize("listening", [True, False])
async def test_silent_queue_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, listening: bool) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{server.getsockname()[1]}")
    if not listening:
        server.close()
    queue = PubSubQueue("test", "jobs", timeout_s=0.3)
    for call in (queue.tell(LANE, "job-1"), queue.dead(new_job())):
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            await call
        assert time.monotonic() - began < 2
    await queue.close()
    server.close()


async def test_who_comes_after_one_that_waited_in_vain_waits_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers hand in jobs meanwhile, which a sweep tells of when the queue is back."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{silent.getsockname()[1]}")
        queue = PubSubQueue("test", "jobs", timeout_s=1.5)
        took = []
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(QueueUnavailable):
                await queue.tell(LANE, "job-1")
            took.append(time.monotonic() - began)
        await queue.close()
    assert took[1] < took[0] - 0.5


@pytest.mark.parametrize("error", sorted({*GOOGLES, grpc.RpcError, OSError, TimeoutError}, key=str))
def test_every_error_of_pubsub_is_translated(error: type[BaseException]) -> None:
    with pytest.raises(QueueUnavailable), pubsub_topics.translated("jobs"):
        raise error.__new__(error)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"kind":"job"}', b'{"kind":"job","lane":1,"job":"x"}', b"\xff", b'"job"']
)
def test_poison_is_told_from_work(data: bytes) -> None:
    with pytest.raises(ValueError, match="no job"):
        read_message(data, {})


def test_sweep_needs_no_data() -> None:
    assert read_message(b"", {"kind": "sweep"}) == Sweep()
    assert read_message(*due_message(LANE, "job-1")) == Due(LANE, "job-1")
