"""A new release takes the place of the old one under load, as Cloud Run does it: nobody notices."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faults.house import new_client
from simulator import ReplicateApi, Service, SubnetGateway
from spillway.adapters.firestore_jobs import FirestoreJobs
from spillway.adapters.firestore_store import FirestoreStore
from spillway.domain.budget import Books, date_of
from spillway.domain.jobs import Job
from spillway.services.grants import FOLDER
from support.cut import Way, way_to
from support.functions import Function, function
from support.topics import Topics
from support.waiting import eventually

REQUESTS, JOBS = 100, 50
PRICE = 0.003
GRACE_S = 10.0
TOPIC = "spillway-jobs"
ROUTES = """
[providers.replicate]
kind = "replicate"
[[routes]]
pipeline = "text-to-image"
deadline = 25
subnet_timeout = 20
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
usd_per_job = 0.003
input = { prompt = "{prompt}", output_format = "png" }
"""


@dataclass
class Releases:
    """Two releases of the front door and of the worker; `gateway` and `worker` lead to the old ones at first."""

    gateway: Way
    worker: Way
    old: list[Function]
    new: list[Function]
    jobs: FirestoreJobs
    store: FirestoreStore
    client: httpx.AsyncClient

    def roll_out(self) -> None:
        """What comes from now on goes to the new release."""
        for way, one in zip((self.gateway, self.worker), self.new, strict=True):
            way.lead_to(one.port)

    async def ask(self, number: int, **headers: str) -> httpx.Response:
        """Every second request may only go to the hosted provider."""
        wish = {"prompt": f"river {number}", "width": 64, "height": 64}
        prefer = {"x-spillway-prefer": "fallback-only"} if number % 2 else {}
        url = f"http://{self.gateway.address}/text-to-image"
        return await self.client.post(url, json=wish, headers={**prefer, **headers})

    async def ended(self, ids: list[str], within_s: float) -> list[Job]:
        """The jobs, once all of them are over."""

        async def over() -> list[Job] | None:
            jobs = list(await self.jobs.find_many(ids))
            return jobs if all(job.over for job in jobs) else None

        return await eventually(over, within_s, every_s=0.2)

    async def books(self) -> Books:
        """Today's."""
        found = await self.store.read(FOLDER, date_of(int(time.time() // 86400)))
        assert found
        return Books.read(found.body)


@asynccontextmanager
async def releases(
    tmp_path: Path, pubsub: str, firestore: str, subnet: SubnetGateway, replicate: ReplicateApi
) -> AsyncIterator[Releases]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(subnet.serve())
        await enter(replicate.serve())
        topics = await enter(Topics(pubsub))
        gateway, worker = await enter(way_to("127.0.0.1:1")), await enter(way_to("127.0.0.1:1"))
        (tmp_path / "routes.toml").write_text(ROUTES)
        env = {
            "FIRESTORE_EMULATOR_HOST": firestore,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "SPILLWAY_STATE": f"firestore://{topics.project}/(default)",
            "SPILLWAY_QUEUE": f"pubsub://{topics.project}",
            "SPILLWAY_ARTIFACTS": f"file://{tmp_path / 'artifacts'}",
            "SPILLWAY_ROUTES": str(tmp_path / "routes.toml"),
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_REPLICATE_URL": replicate.url,
            "REPLICATE_API_TOKEN": replicate.token,
            "SPILLWAY_REPLICATE_WEBHOOK_SECRET": replicate.webhook_key,
            "SPILLWAY_FALLBACK_USD_PER_DAY": "5",
            "SPILLWAY_PUBLIC_URL": f"http://{gateway.address}",
            "SPILLWAY_GATEWAY_URL": f"http://{gateway.address}",
            "SPILLWAY_INTERNAL_KEY": "a key of some length",
            "SPILLWAY_ALLOW_PRIVATE_URLS": "true",
        }
        names = ("gateway", "worker", "gateway", "worker")
        started = await asyncio.gather(*(enter(function(name, env)) for name in names))
        gateway.lead_to(started[0].port)
        worker.lead_to(started[1].port)
        await topics.make(f"{TOPIC}-dead")
        await topics.make(TOPIC, push_to=f"http://{worker.address}", dead_letters=f"{TOPIC}-dead")
        jobs = FirestoreJobs(topics.project, timeout_s=20.0)
        store = FirestoreStore(topics.project, timeout_s=20.0)
        stack.push_async_callback(jobs.close)
        stack.push_async_callback(store.close)
        client = await enter(new_client())
        yield Releases(gateway, worker, started[:2], started[2:], jobs, store, client)


@pytest.mark.timeout(180)
async def test_a_release_replaced_under_load_loses_nothing(
    tmp_path: Path, pubsub_host: str, firestore_host: str
) -> None:
    subnet = SubnetGateway(slots=40, service={"text-to-image": Service(1.0)}, refusal_s=0.2)
    replicate = ReplicateApi(service_s=1.5, calls_a_minute=100_000)
    async with releases(tmp_path, pubsub_host, firestore_host, subnet, replicate) as there:
        taken = await asyncio.gather(*(there.ask(number, prefer="respond-async") for number in range(JOBS)))
        assert Counter(reply.status_code for reply in taken) == {202: JOBS}, taken[0].text
        asked = [asyncio.create_task(there.ask(JOBS + number)) for number in range(REQUESTS)]
        await eventually(lambda: len(subnet.requests) + len(replicate.predictions) >= (JOBS + REQUESTS) / 2)
        there.roll_out()
        stopping = [asyncio.create_task(one.stop()) for one in there.old]
        asked += [asyncio.create_task(there.ask(JOBS + REQUESTS + number)) for number in range(20)]
        replies = await asyncio.gather(*asked)
        assert Counter(reply.status_code for reply in replies) == {200: len(asked)}, [r.text for r in replies][:3]
        jobs = await there.ended([reply.json()["id"] for reply in taken], 60.0)
        assert Counter(job.status for job in jobs) == {"succeeded": JOBS}, [job.error for job in jobs if job.error]
        assert max(job.deaths for job in jobs) == 0

        took_s = await asyncio.gather(*stopping)
        assert max(took_s) < GRACE_S
        assert [one.process.returncode for one in there.old] == [0, 0]
        bought = Counter(prediction.input["prompt"] for prediction in replicate.predictions.values())
        assert max(bought.values()) == 1, bought.most_common(3)
        # Those who have left have left their money too.
        assert len((await there.books()).accounts) <= len(there.new)
        await asyncio.gather(*(one.stop() for one in there.new))
        assert await there.books() == Books(settled=round(bought.total() * PRICE * 1e6))
