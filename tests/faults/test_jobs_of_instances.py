"""Several front doors over one store: a job that came in by one is watched, waited for and taken back by another."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.house import QUICK, new_client
from simulator import SubnetGateway
from spillway.adapters.directory_files import DirectoryFiles
from spillway.adapters.firestore_jobs import FirestoreJobs
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.settings import Settings
from support.front_door import running
from support.listening import listening
from support.puppets import Puppet

WISH = {"prompt": "a river"}
LATER = {"prefer": "respond-async"}


@dataclass
class Doors:
    """Two front doors, a worker, and a client."""

    one: str
    other: str
    worker: Puppet
    client: httpx.AsyncClient

    async def a_job(self, **headers: str) -> str:
        """The id of a job that came in by the first door."""
        reply = await self.client.post(f"{self.one}/text-to-image", json=WISH, headers={**LATER, **headers})
        assert reply.status_code == 202, reply.text
        return str(reply.json()["id"])


@pytest.fixture(params=["sqlite", "firestore"])
async def doors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Doors]:
    """Each with connections of its own, as processes have them."""
    if request.param == "sqlite":
        state, jobs = f"sqlite:///{tmp_path / 'state.db'}", SqliteJobs(tmp_path / "state.db")
    else:
        address = request.getfixturevalue("firestore_emulator")
        request.getfixturevalue("monkeypatch").setenv("FIRESTORE_EMULATOR_HOST", address)
        project = f"test-{uuid.uuid4().hex[:12]}"
        state, jobs = f"firestore://{project}/(default)", FirestoreJobs(project, timeout_s=20.0)
        # The first call of a Java process that has just started is slow.
        await jobs.find("nobody")
    async with two(state, tmp_path) as (one, other), new_client() as client:
        yield Doors(one, other, Puppet(jobs, DirectoryFiles(tmp_path / "artifacts" / "jobs")), client)
    await jobs.close()


@asynccontextmanager
async def two(state: str, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """The URLs of two front doors."""
    subnet = SubnetGateway(slots=9, service=QUICK)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(subnet.serve())
        settings: dict[str, Any] = {"state": state, "artifacts": f"file://{tmp_path / 'artifacts'}"}
        urls = [
            await stack.enter_async_context(running(Settings(subnet_url=subnet.url, **settings), works=False))
            for _ in range(2)
        ]
        yield urls[0], urls[1]


async def test_events_resume_at_the_other_instance_with_the_same_changes(doors: Doors) -> None:
    job_id = await doors.a_job()
    async with listening(doors.client, f"{doors.one}/jobs/{job_id}/events") as all_along:
        async with listening(doors.client, f"{doors.one}/jobs/{job_id}/events") as first:
            await doors.worker.start(job_id)
            await first.until_changes(2)
        last = first.changes()[-1][0]
        async with listening(doors.client, f"{doors.other}/jobs/{job_id}/events", last) as second:
            await doors.worker.hand_back(job_id)
            await second.until_changes(1)
            await doors.worker.start(job_id, "replicate")
            await doors.worker.succeed(job_id)
            await second.until_end()
        await all_along.until_end()
    assert all_along.changes() == [
        ("1", "queued"), ("2", "running"), ("3", "queued"), ("4", "running"), ("5", "succeeded"),
    ]  # fmt: skip
    assert first.jobs() + second.jobs() == all_along.jobs()


async def test_change_reaches_listeners_of_every_instance_within_a_second(doors: Doors) -> None:
    job_id = await doors.a_job()
    urls = [f"{door}/jobs/{job_id}" for door in (doors.one, doors.other)]
    tag = (await doors.client.get(urls[1])).headers["etag"]
    async with (
        listening(doors.client, f"{urls[0]}/events") as here,
        listening(doors.client, f"{urls[1]}/events") as there,
    ):
        waiting = asyncio.create_task(doors.client.get(urls[1], headers={"prefer": "wait=20", "if-none-match": tag}))
        await asyncio.gather(here.until_changes(1), there.until_changes(1))
        await doors.worker.start(job_id)
        changed_at = time.monotonic()
        await asyncio.gather(here.until_changes(2), there.until_changes(2), waiting)
        # A second is what is promised; a machine that is busy gets three.
        assert max(events.got[-1].at for events in (here, there)) - changed_at < 3.0
    assert waiting.result().json()["status"] == "running"


async def test_job_is_canceled_by_the_other_instance(doors: Doors) -> None:
    job_id = await doors.a_job()
    async with listening(doors.client, f"{doors.one}/jobs/{job_id}/events") as events:
        await events.until_changes(1)
        reply = await doors.client.delete(f"{doors.other}/jobs/{job_id}")
        assert (reply.status_code, reply.json()["status"]) == (200, "canceled")
        await events.until_end()
    assert events.changes() == [("1", "queued"), ("2", "canceled")]
    assert (await doors.client.get(f"{doors.one}/jobs/{job_id}")).json() == reply.json()


async def test_idempotency_key_is_known_to_every_instance(doors: Doors) -> None:
    first = await doors.a_job(**{"idempotency-key": "once"})
    reply = await doors.client.post(
        f"{doors.other}/text-to-image", json=WISH, headers={**LATER, "idempotency-key": "once"}
    )
    assert (reply.status_code, reply.json()["id"]) == (202, first)
    assert reply.headers["idempotent-replayed"] == "true"
    racing = await asyncio.gather(
        *(
            doors.client.post(f"{door}/text-to-image", json=WISH, headers={"idempotency-key": "race"})
            for door in (doors.one, doors.other) * 3
        )
    )
    assert {(reply.status_code, reply.content) for reply in racing} == {(200, racing[0].content)}
    assert sum("idempotent-replayed" not in reply.headers for reply in racing) == 1


async def test_many_changes_of_many_jobs_are_told_without_a_gap(doors: Doors) -> None:
    ids = await asyncio.gather(*(doors.a_job() for _ in range(12)))
    async with AsyncExitStack() as stack:
        heard = [
            await stack.enter_async_context(listening(doors.client, f"{doors.other}/jobs/{job_id}/events"))
            for job_id in ids
        ]

        async def live(job_id: str) -> None:
            for _ in range(3):
                await doors.worker.start(job_id)
                await doors.worker.hand_back(job_id)
            await doors.worker.start(job_id)
            await doors.worker.succeed(job_id)

        await asyncio.gather(*map(live, ids))
        await asyncio.gather(*(events.until_end(30) for events in heard))
    for events in heard:
        assert [int(number or 0) for number, _ in events.changes()] == list(range(1, 10))
