"""The stream of a job's events: its heartbeats, its end, and what it does without a store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from spillway.adapters.memory_files import MemoryFiles
from spillway.domain import job_steps
from spillway.edge.auth import welcome
from spillway.edge.job_events import HEARTBEAT_S, JobEvents
from spillway.errors import StoreUnavailable
from support.desks import ANNA, Office

LEASE_S = 30.0


@dataclass
class Stream:
    """A listener: what it was sent, and its clock."""

    office: Office
    now: float = 0.0
    sent: bytes = b""
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def clock(self) -> float:
        """Monotonic seconds, moved by hand."""
        return self.now

    async def receive(self) -> Any:
        """Until the listener leaves."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Keep it."""
        self.sent += message.get("body", b"")

    async def until(self, text: bytes, count: int = 1) -> None:
        """Wait until it was sent so often."""
        async with asyncio.timeout(10):
            while self.sent.count(text) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(
    office: Office, job_id: str, last: bytes = b""
) -> AsyncIterator[tuple[Stream, "asyncio.Task[None]"]]:
    """A listener to a job, who has its changes up to `last`."""
    stream = Stream(office)
    page = JobEvents(office.desk, office.views, office.changes, monotonic=stream.clock)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"last-event-id", last)],
             "path_params": {"job_id": job_id}}  # fmt: skip
    welcome(scope, ANNA)
    task = asyncio.create_task(page(scope, stream.receive, stream.send))
    try:
        yield stream, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await office.changes.close()


async def test_silent_stream_has_a_heartbeat() -> None:
    office = Office()
    job = await office.submit()
    async with listening(office, job.id) as (stream, _):
        await stream.until(b"event: progress")
        assert b": still here" not in stream.sent
        for beats in (1, 2):
            stream.now += HEARTBEAT_S
            # The listener looks up at the next progress at the latest.
            await stream.until(b": still here", beats)


async def test_listener_who_leaves_leaves_nothing() -> None:
    office = Office()
    job = await office.submit()
    async with listening(office, job.id) as (stream, task):
        await stream.until(b"event: job")
        # Nobody is watched for leaving in the first moments.
        await asyncio.sleep(0.3)
        stream.gone.set()
        await asyncio.wait_for(task, 5)
        assert office.changes.listeners == 0


async def test_result_that_can_not_be_read_now_is_told_when_it_can() -> None:
    class Away(MemoryFiles):
        away = True

        async def read(self, name: str) -> Any:
            if self.away:
                raise StoreUnavailable("away")
            return await super().read(name)

    files = Away()
    office = Office(files=files)
    job = await office.submit()
    held = job_steps.claimed(job, "worker", office.now, LEASE_S)
    await office.jobs.save(held)
    await office.jobs.save(job_steps.succeeded(held, office.now, "results/x", "m"))
    async with listening(office, job.id) as (stream, task):
        await stream.until(b"event: job")
        await asyncio.sleep(0.1)
        assert stream.sent.count(b"event: job") == 1
        files.away = False
        await asyncio.wait_for(task, 5)
        assert b'"status":"succeeded"' in stream.sent


@pytest.mark.parametrize("last", [b"0", b"1", b"7"])
async def test_listener_of_a_running_job_may_name_any_change(last: bytes) -> None:
    """One that there never was is none: all changes are told, rather than none until the end."""
    office = Office()
    job = await office.submit()
    async with listening(office, job.id, last) as (stream, _):
        await stream.until(b"event: progress")
        assert stream.sent.count(b"event: job") == (last != b"1")


async def test_change_that_another_instance_has_told_is_not_told_again() -> None:
    """It is in the store, and not seen by this instance yet, where somebody else listens to the job already."""
    office = Office()
    job = await office.submit()
    async with office.changes.listen(job.id), listening(office, job.id, last=b"2") as (stream, _):
        await office.jobs.save(job_steps.canceled(job, office.now))
        await stream.until(b"event: progress")
        assert b"event: job" not in stream.sent


async def test_each_block_of_a_stream_is_an_event_or_a_comment() -> None:
    """Some clients take a block with nothing but `retry` for an event without data."""
    office = Office()
    job = await office.submit()
    async with listening(office, job.id) as (stream, task):
        await stream.until(b"event: progress")
        await office.desk.cancel(job.id, ANNA)
        await asyncio.wait_for(task, 5)
        blocks = stream.sent.decode().removesuffix("\n\n").split("\n\n")
        assert blocks[0].startswith("retry: 2000\nevent: job\nid: 1\ndata: {")
        assert [block for block in blocks if "data: {" not in block and not block.startswith(": ")] == []
