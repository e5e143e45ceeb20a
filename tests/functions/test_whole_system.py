"""All functions as they are deployed, each in its own process, over Google's emulators: one system."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faults.house import new_client
from faults.test_gif_flow import SHORT_CLIPS, fetched, followed, frames
from simulator import ReplicateApi, StorageApi, SubnetGateway
from support.cut import way_to
from support.functions import Function, function
from support.topics import Topics

TOPIC = "spillway-jobs"


@dataclass
class System:
    """Two front doors, a worker and a balancer; `url` is the first front door's."""

    url: str
    doors: list[Function]
    balancer: Function
    client: httpx.AsyncClient


@asynccontextmanager
async def system(
    tmp_path: Path, pubsub: str, firestore: str, storage: StorageApi, subnet: SubnetGateway
) -> AsyncIterator[System]:
    replicate = ReplicateApi(service_s=0.3)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(subnet.serve())
        await enter(replicate.serve())
        topics, gateway = await enter(Topics(pubsub)), await enter(way_to("127.0.0.1:1"))
        env = {
            "FIRESTORE_EMULATOR_HOST": firestore,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "STORAGE_EMULATOR_HOST": storage.url,
            "SPILLWAY_STATE": f"firestore://{topics.project}/(default)",
            "SPILLWAY_QUEUE": f"pubsub://{topics.project}",
            "SPILLWAY_ARTIFACTS": "gs://bucket",
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_REPLICATE_URL": replicate.url,
            "REPLICATE_API_TOKEN": replicate.token,
            "SPILLWAY_PUBLIC_URL": f"http://{gateway.address}",
            "SPILLWAY_GATEWAY_URL": f"http://{gateway.address}",
            "SPILLWAY_INTERNAL_KEY": "a key of some length",
            "SPILLWAY_FALLBACK_USD_PER_DAY": "5",
        }
        names = ("gateway", "gateway", "worker", "balancer")
        first, second, worker, balancer = await asyncio.gather(*(enter(function(name, env)) for name in names))
        gateway.lead_to(first.port)
        await topics.make(f"{TOPIC}-dead")
        await topics.make(TOPIC, push_to=worker.url, dead_letters=f"{TOPIC}-dead")
        yield System(f"http://{gateway.address}", [first, second], balancer, await enter(new_client()))


@pytest.mark.timeout(180)
async def test_a_prompt_becomes_a_gif_and_the_balancer_counts_it(
    tmp_path: Path, pubsub_host: str, firestore_host: str, storage: StorageApi
) -> None:
    """By Pub/Sub's push, Firestore and Cloud Storage; what one front door has made, the other one serves."""
    subnet = SubnetGateway(slots=4, service=SHORT_CLIPS)
    async with system(tmp_path, pubsub_host, firestore_host, storage, subnet) as there:
        drawn = await followed(there, "text-to-image", json={"prompt": "an otter", "width": 256, "height": 256})
        picture = await fetched(there, drawn)
        upload = {"image": ("otter.png", picture, "image/png")}
        animated = await followed(there, "image-to-video", files=upload, data={"fps": "6"})
        assert [job["served_by"] for job in (drawn.jobs()[-1], animated.jobs()[-1])] == ["subnet", "subnet"]
        assert frames(await fetched(there, animated)) > 1

        entry = {"job": animated.jobs()[-1]["id"], "prompt": "an otter", "name": "Mia"}
        assert (await there.client.post(f"{there.url}/api/gif/entries", json=entry)).status_code == 201
        [shown] = (await there.client.get(f"{there.doors[1].url}/api/gif/entries")).json()["entries"]
        gif = await there.client.get(f"{there.doors[1].url}/{shown['gif']}")
        assert (shown["prompt"], gif.content[:6]) == ("an otter", b"GIF89a")

        assert await counted(there) == {"text-to-image", "image-to-video"}


async def counted(there: System) -> set[str]:
    """The pipelines that the balancer keeps proofs of, once the worker has told it."""
    for _ in range(12):
        report = (await there.client.post(there.balancer.url, timeout=60)).json()
        if len(report["targets"].get("routes", {})) > 1:
            return {route.partition(" ")[0] for route in report["targets"]["routes"]}
        # A worker tells what it has counted when a job comes, every ten seconds: it may have no processor in between.
        await followed(there, "text-to-image", json={"prompt": "a river", "width": 64, "height": 64})
        await asyncio.sleep(1.0)
    return set()
