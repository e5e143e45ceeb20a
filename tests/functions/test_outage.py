"""Firestore or Pub/Sub is away from functions in processes of their own: they go on, and catch up afterwards."""

import asyncio
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.house import QUICK, new_client
from simulator import SubnetGateway
from support.cut import Way, way_to
from support.emulators import FIRESTORE, started
from support.functions import Function, function
from support.processes import told
from support.topics import Topics
from support.waiting import eventually

PICTURE = {"prompt": "a river", "width": 64, "height": 64}
LATER = {"prefer": "respond-async"}
TOPIC = "spillway-jobs"
SWEEP = {"message": {"messageId": "1", "attributes": {"kind": "sweep"}}}


@dataclass
class Doors:
    """Two front doors, and the state that they share."""

    both: list[Function]
    client: httpx.AsyncClient
    firestore: "subprocess.Popen[bytes]"
    env: dict[str, str]

    async def ask(self, door: Function, **headers: str) -> httpx.Response:
        """One picture."""
        return await self.client.post(f"{door.url}/text-to-image", json=PICTURE, headers=headers)

    async def ask_both(self, **headers: str) -> list[int]:
        """What each answers."""
        replies = await asyncio.gather(*(self.ask(door, **headers) for door in self.both))
        return [reply.status_code for reply in replies]

    async def until(self, statuses: list[int], within_s: float, **headers: str) -> None:
        """Ask until both answer so."""

        async def answer_so() -> bool:
            return await self.ask_both(**headers) == statuses

        await eventually(answer_so, within_s, every_s=0.3)


@asynccontextmanager
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    subnet = SubnetGateway(slots=20, service=QUICK)
    async with AsyncExitStack() as stack:
        address, process = stack.enter_context(started(FIRESTORE))
        await stack.enter_async_context(subnet.serve())
        env = {
            "FIRESTORE_EMULATOR_HOST": address,
            "SPILLWAY_STATE": f"firestore://test-{uuid.uuid4().hex[:12]}/(default)",
            "SPILLWAY_ARTIFACTS": f"file://{tmp_path / 'artifacts'}",
            "SPILLWAY_SUBNET_URL": subnet.url,
        }
        both = await asyncio.gather(*(stack.enter_async_context(function("gateway", env)) for _ in range(2)))
        yield Doors(both, await stack.enter_async_context(new_client()), process, env)


@pytest.mark.usefixtures("firestore_emulator")
async def test_two_front_doors_share_orders_and_outlive_their_state(tmp_path: Path) -> None:
    async with doors(tmp_path) as there:
        await there.until([200, 200], 20.0)
        await there.until([202, 202], 20.0, **LATER)

        there.firestore.send_signal(signal.SIGSTOP)
        try:
            assert await there.ask_both() == [200, 200]
            for door in there.both:
                refused = await there.ask(door, **LATER)
                assert (refused.status_code, "retry-after" in refused.headers) == (503, True), refused.text
        finally:
            there.firestore.send_signal(signal.SIGCONT)
        await there.until([202, 202], 30.0, **LATER)

        order = ["policy", "set", "--route", "all", "--mode", "fallback-only"]
        await asyncio.to_thread(told, *order, **there.env)
        # Five seconds are promised; a machine that is busy gets three times as long.
        await there.until([503, 503], 15.0)


@dataclass
class Queued:
    """A front door and a worker, and the way by which both reach Pub/Sub."""

    gateway: Function
    worker: Function
    pubsub: Way
    subnet: SubnetGateway
    client: httpx.AsyncClient

    async def submit(self) -> str:
        """A job's id, once it is taken in."""
        reply = await self.client.post(f"{self.gateway.url}/text-to-image", json=PICTURE, headers=LATER)
        assert reply.status_code == 202, reply.text
        return str(reply.json()["id"])

    async def look(self, job_id: str) -> dict[str, Any]:
        """A job as it is."""
        return (await self.client.get(f"{self.gateway.url}/jobs/{job_id}")).json()

    async def sweep(self) -> list[str]:
        """What the worker could not do in the minute's call."""
        return (await self.client.post(self.worker.url, json=SWEEP)).json()["problems"]

    async def until_done(self, job_ids: Sequence[str]) -> None:
        """All of them have succeeded, within some time."""
        async with asyncio.timeout(30.0):
            for job_id in job_ids:
                while (job := await self.look(job_id))["status"] in ("queued", "running"):
                    await asyncio.sleep(0.1)
                assert (job["status"], job["served_by"]) == ("succeeded", "subnet"), job


@asynccontextmanager
async def house_with_a_queue(tmp_path: Path, pubsub: str, firestore: str) -> AsyncIterator[Queued]:
    """Front door and worker over Firestore, which reach Pub/Sub by a way that can be cut."""
    subnet = SubnetGateway(slots=20, service=QUICK)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(subnet.serve())
        topics, way, door = await enter(Topics(pubsub)), await enter(way_to(pubsub)), await enter(way_to("127.0.0.1:1"))
        env = {
            "FIRESTORE_EMULATOR_HOST": firestore,
            "PUBSUB_EMULATOR_HOST": way.address,
            "SPILLWAY_STATE": f"firestore://{topics.project}/(default)",
            "SPILLWAY_QUEUE": f"pubsub://{topics.project}",
            "SPILLWAY_ARTIFACTS": f"file://{tmp_path / 'artifacts'}",
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_GATEWAY_URL": f"http://{door.address}",
            "SPILLWAY_INTERNAL_KEY": "a key of some length",
        }
        gateway, worker = await asyncio.gather(*(enter(function(name, env)) for name in ("gateway", "worker")))
        door.lead_to(gateway.port)
        await topics.make(f"{TOPIC}-dead")
        await topics.make(TOPIC, push_to=worker.url, dead_letters=f"{TOPIC}-dead")
        yield Queued(gateway, worker, way, subnet, await enter(new_client()))


async def test_jobs_are_taken_in_without_pubsub_and_done_when_it_is_back(
    tmp_path: Path, pubsub_host: str, firestore_host: str
) -> None:
    async with house_with_a_queue(tmp_path, pubsub_host, firestore_host) as there:
        before = await there.submit()
        await there.until_done([before])

        there.pubsub.cut()
        began = time.monotonic()
        taken = await asyncio.gather(*(there.submit() for _ in range(6)))
        assert time.monotonic() - began < 15.0
        assert [(await there.look(job_id))["status"] for job_id in taken] == ["queued"] * 6

        there.pubsub.mend()

        async def swept() -> bool:
            return not await there.sweep()

        await eventually(swept, every_s=0.3)
        await there.until_done(taken)
        done = [one.status for one in there.subnet.requests if one.path == "/text-to-image"]
        assert Counter(done) == {200: 7}
