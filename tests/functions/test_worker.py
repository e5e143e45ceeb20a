"""The function `worker` as it is deployed: Pub/Sub pushes to it, and the gateway decides on its tries."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.house import new_client
from simulator import Service, SubnetGateway
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.domain.job_messages import due_message, read_message
from spillway.domain.jobs import Job
from spillway.settings import Settings
from support.front_door import free_port, running
from support.functions import imported, started
from support.topics import Topics
from support.waiting import eventually

KEY = "a key of some length"
PICTURE = {"prompt": "a river", "width": 64, "height": 64}
TOPIC = "spillway-jobs"
SWEEP = {"message": {"messageId": "1", "attributes": {"kind": "sweep"}}}


@dataclass
class Cloud:
    """Everything that a job meets in production."""

    gateway: str
    worker: str
    subnet: SubnetGateway
    topics: Topics
    jobs: SqliteJobs
    client: httpx.AsyncClient
    port: int
    env: dict[str, str]

    async def submit(self) -> str:
        """A job's id."""
        answer = await self.client.post(
            f"{self.gateway}/text-to-image", json=PICTURE, headers={"prefer": "respond-async"}
        )
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    async def until(self, job_id: str, status: str, within_s: float = 30.0) -> Job:
        """A job once it has this status."""

        async def has_it() -> Job | None:
            job = await self.jobs.find(job_id)
            assert job is not None
            return job if job.status == status else None

        return await eventually(has_it, within_s)


@asynccontextmanager
async def cloud(tmp_path: Path, pubsub_host: str, subnet: SubnetGateway) -> AsyncIterator[Cloud]:
    """The gateway, with its topics and what they push to; the function is still to be started."""
    state, port = tmp_path / "state.db", free_port()
    async with subnet.serve(), Topics(pubsub_host) as topics, new_client() as client:
        await topics.make(f"{TOPIC}-dead")
        await topics.make(TOPIC, push_to=f"http://127.0.0.1:{port}", dead_letters=f"{TOPIC}-dead")
        common: dict[str, Any] = {
            "state": f"sqlite:///{state}",
            "queue": f"pubsub://{topics.project}",
            "artifacts": f"file://{tmp_path / 'artifacts'}",
            "internal_key": KEY,
        }
        async with running(Settings(subnet_url=subnet.url, **common)) as gateway:
            env = {f"SPILLWAY_{name.upper()}": value for name, value in common.items()}
            env |= {"SPILLWAY_GATEWAY_URL": gateway, "PUBSUB_EMULATOR_HOST": pubsub_host}
            jobs = SqliteJobs(state)
            yield Cloud(gateway, f"http://127.0.0.1:{port}", subnet, topics, jobs, client, port, env)
            await jobs.close()


@asynccontextmanager
async def working(there: Cloud) -> "AsyncIterator[subprocess.Popen[bytes]]":
    """The function, started and ended beside the event loop."""
    one = started("worker", there.env, port=there.port)
    worker = await asyncio.to_thread(one.__enter__)
    try:
        yield worker.process
    finally:
        await asyncio.to_thread(one.__exit__, None, None, None)


async def test_jobs_go_all_the_way_whatever_pubsub_does_with_its_messages(tmp_path: Path, pubsub_host: str) -> None:
    subnet = SubnetGateway(slots=4, service={"text-to-image": Service(0.1)}, refusal_s=0.05)
    async with cloud(tmp_path, pubsub_host, subnet) as there:
        early = [await there.submit() for _ in range(2)]
        # Nobody listens: what is said now goes to the dead letters, and a sweep says it again.
        unheard = await there.topics.said(f"{TOPIC}-dead", 2)
        assert {read_message(one.data, one.attributes).job_id for one in unheard} == set(early)
        async with working(there):
            swept = await there.client.post(there.worker, json=SWEEP)
            assert (swept.status_code, swept.json()["problems"]) == (200, [])
            ids = early + [await there.submit() for _ in range(4)]
            for job_id in reversed(ids):
                await there.topics.say(TOPIC, *due_message("text-to-image stabilityai/sdxl-turbo", job_id))
            await there.topics.say(TOPIC, b"\xff no JSON")
            for job_id in ids:
                job = await there.until(job_id, "succeeded")
                assert (job.served_by, job.deaths, job.failures) == ("subnet", 0, 0)
            [poison] = await there.topics.said(f"{TOPIC}-dead", 1)
            assert poison.data == b"\xff no JSON"
            assert poison.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
        served = [one for one in subnet.requests if one.path == "/text-to-image" and one.status == 200]
        assert len(served) == 6


async def test_a_worker_that_is_asked_to_stop_hands_its_job_back_within_ten_seconds(
    tmp_path: Path, pubsub_host: str
) -> None:
    subnet = SubnetGateway(slots=1, service={"text-to-image": Service(15.0)})
    async with cloud(tmp_path, pubsub_host, subnet) as there:
        async with working(there) as process:
            job_id = await there.submit()
            await there.until(job_id, "running")
            process.terminate()
            began = time.monotonic()
            job = await there.until(job_id, "queued")
            assert (job.changes[-1].cause, job.lease) == ("handed-back", None)
            await asyncio.to_thread(process.wait, 20)
            assert time.monotonic() - began < 10.0
        subnet.lose_all()
        subnet.time_scale = 0.01
        async with working(there):
            # What was said while no worker lived is among the dead letters by now.
            assert (await there.client.post(there.worker, json=SWEEP)).status_code == 200
            job = await there.until(job_id, "succeeded", 60.0)
            assert job.deaths == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SPILLWAY_QUEUE": "local://"}, "set pubsub://PROJECT"),
        ({"SPILLWAY_STATE": "memory://"}, "which memory:// can't"),
        ({"SPILLWAY_GATEWAY_URL": "http://gateway"}, "SPILLWAY_INTERNAL_KEY: must be set"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    env = {"SPILLWAY_STATE": f"sqlite:///{tmp_path / 'state.db'}", "SPILLWAY_QUEUE": "pubsub://project"}
    ran = imported("worker", {**env, **changes})
    assert ran.returncode == 1
    assert says in ran.stderr.splitlines()[-1]
