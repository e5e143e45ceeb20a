"""Listeners are woken by their own process at once, by others within a second, and the store is asked once for all."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Hosted, Job
from spillway.errors import Overloaded, StoreUnavailable
from spillway.services.changes import LOOK_ANEW_S, LOOK_EVERY_S, OVERLAP_S, PAGE, PROGRESS_EVERY_S, Changes, WatchedJobs
from support.jobs import new_job

LEASE_S = 30.0
SOON_S = 5 * LOOK_EVERY_S


class Shared(MemoryJobs):
    """A store that other processes write too; it counts what it is asked, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = self.reads = 0
        self.away = self.blind = False

    async def changed_since(self, at: float, limit: int = 1000) -> list[tuple[str, int, float]]:
        if self.away:
            raise StoreUnavailable("away")
        self.looks += 1
        return [] if self.blind else await super().changed_since(at, limit)

    async def find_many(self, job_ids: Any) -> list[Job]:
        self.reads += 1
        return await super().find_many(job_ids)


class Clock:
    """The true time and what a test adds to it."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


async def a_job(store: MemoryJobs, **fields: Any) -> Job:
    return await store.add(new_job(created_at=time.time(), **fields))


async def claim(store: MemoryJobs, job: Job) -> Job:
    return await save(store, job_steps.claimed(job, "w", time.time(), LEASE_S))


async def save(store: MemoryJobs, job: Job) -> Job:
    await store.save(job)
    return job


def start(job: Job, at: float | None = None) -> Job:
    return job_steps.started(job, at or time.time(), "subnet")


async def test_change_of_this_process_is_told_at_once() -> None:
    store = Shared()
    changes = Changes(store, epoch=time.time, most=10)
    jobs, job = WatchedJobs(store, changes), await a_job(store)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        waiting = asyncio.create_task(topic.after(job.revision, 10))
        await asyncio.sleep(0)
        held = job_steps.claimed(job, "w", time.time(), LEASE_S)
        await jobs.save(held)
        assert await waiting == held
        assert store.looks == 0


async def test_change_of_another_process_is_told_within_a_second() -> None:
    store = Shared()
    changes, job = Changes(store, epoch=time.time, most=10), await a_job(store)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        running = await save(store, start(await claim(store, job)))
        began = time.monotonic()
        assert await topic.after(job.revision, SOON_S) == running
        assert time.monotonic() - began < 1.0


async def test_however_many_listen_the_store_is_asked_once_a_look() -> None:
    store = Shared()
    changes, made = Changes(store, epoch=time.time, most=500), [await a_job(store) for _ in range(100)]
    async with AsyncExitStack() as stack:
        topics = [await stack.enter_async_context(changes.listen(job.id)) for job in made for _ in range(3)]
        for job in made:
            await save(store, start(await claim(store, job)))
        now = await asyncio.gather(*(topic.after(1, SOON_S) for topic in topics if topic))
        assert {job.status for job in now} == {"running"}
        await asyncio.sleep(3 * LOOK_EVERY_S)
        assert (store.looks <= 6, store.reads) == (True, 1)
    assert changes.listeners == 0


async def test_nobody_is_asked_while_nobody_listens() -> None:
    store = Shared()
    changes, job = Changes(store, epoch=time.time, most=10), await a_job(store)
    async with changes.listen(job.id):
        await asyncio.sleep(2.2 * LOOK_EVERY_S)
    looked = store.looks
    await asyncio.sleep(2.2 * LOOK_EVERY_S)
    assert (looked >= 1, store.looks - looked <= 1) == (True, True)
    await changes.close()


async def test_process_whose_clock_is_behind_is_heard() -> None:
    store = Shared()
    changes, job = Changes(store, epoch=time.time, most=10), await a_job(store)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        await asyncio.sleep(1.5 * LOOK_EVERY_S)
        await save(store, start(await claim(store, job), at=time.time() - OVERLAP_S + 2))
        assert (await topic.after(job.revision, SOON_S)).status == "running"


async def test_change_that_no_look_shows_is_seen_all_the_same() -> None:
    store, clock = Shared(), Clock()
    store.blind = True
    changes, job = Changes(store, epoch=clock, most=10), await a_job(store)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        await save(store, start(await claim(store, job)))
        assert (await topic.after(job.revision, 2 * LOOK_EVERY_S)).status == "queued"
        clock.ahead = LOOK_ANEW_S
        assert (await topic.after(job.revision, SOON_S)).status == "running"


async def test_progress_that_a_provider_tells_another_process_is_seen() -> None:
    store, clock = Shared(), Clock()
    changes, job = Changes(store, epoch=clock, most=10), await a_job(store)
    begun = job_steps.starting(await claim(store, job), Hosted("replicate", "m", 0, time.time()))
    running = await save(store, begun)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        await save(store, job_steps.renewed(running, time.time(), LEASE_S, progress=0.4))
        clock.ahead = PROGRESS_EVERY_S
        seen = await topic.after(running.revision, SOON_S)
        assert seen.hosted is not None
        assert seen.hosted.progress == 0.4


async def test_changes_during_an_outage_are_told_after_it(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = Shared(), Clock()
    changes, job = Changes(store, epoch=clock, most=10), await a_job(store)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        store.away = True
        await save(store, start(await claim(store, job)))
        await asyncio.sleep(2.5 * LOOK_EVERY_S)
        clock.ahead = 2 * OVERLAP_S
        store.away = False
        assert (await topic.after(job.revision, SOON_S)).status == "running"
    assert len(caplog.records) == 1


async def test_listeners_are_bounded_and_leave_their_places() -> None:
    store = Shared()
    changes, job = Changes(store, epoch=time.time, most=2), await a_job(store)
    async with changes.listen(job.id), changes.listen(job.id):
        with pytest.raises(Overloaded):
            await changes.listen(job.id).__aenter__()
    async with changes.listen(job.id) as topic:
        assert topic is not None


async def test_unknown_job_has_no_topic() -> None:
    changes = Changes(Shared(), epoch=time.time, most=2)
    async with changes.listen("nobody") as topic:
        assert topic is None
    await changes.close()


async def test_more_changes_than_a_page_are_all_seen() -> None:
    store = Shared()
    changes = Changes(store, epoch=time.time, most=10)
    for number in range(PAGE + 200):
        await store.add(new_job(lane=f"lane {number}", created_at=time.time()))
    job = await a_job(store)
    async with changes.listen(job.id) as topic:
        assert topic is not None
        await save(store, start(await claim(store, job)))
        assert (await topic.after(job.revision, SOON_S)).status == "running"
    assert store.looks >= 2
