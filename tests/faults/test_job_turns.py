"""A caller's first job does not wait behind the many that workers have taken up of another: turns hold to the end."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from simulator import Service, SubnetGateway
from spillway.adapters.gateway_door import GatewayDoor
from spillway.adapters.local_queue import HANDS, LocalQueue
from spillway.assembly.inside import Inside
from spillway.assembly.jobs import JobSide
from spillway.assembly.worker import work_side
from spillway.domain.callers import Caller
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import Terms
from spillway.edge.requests import json_request
from spillway.ports.running import SubnetDoor
from spillway.services.jobs import Order
from spillway.services.subnet_door import OwnGates
from spillway.services.wakes import Wakes
from spillway.settings import Settings
from support.crash_worker import sides
from support.front_door import running

KEY = "a key of some length"


async def submit(side: JobSide, caller: str) -> str:
    """A job's id; the subnet alone may do it."""
    request = json_request(PIPELINES["text-to-image"], {"prompt": "a river", "width": 64, "height": 64})
    terms = Terms(prefer="subnet-only", public_url="http://127.0.0.1:9", caller=Caller(caller))
    content = request.payload.content()
    assert isinstance(content, bytes)
    order = Order(request, terms, "livepeer", io.BytesIO(content), request.payload.content_type)
    return (await side.desk.submit(order)).id


async def done(side: JobSide, job_ids: list[str]) -> int:
    """How many of them have succeeded."""
    return sum(job.status == "succeeded" for job in await side.jobs.find_many(job_ids))


@asynccontextmanager
async def at_work(tmp_path: Path, *, apart: bool) -> AsyncIterator[JobSide]:
    """A worker over a subnet with one slot: beside the gates, or apart from the front door that has them."""
    subnet = SubnetGateway(slots=1, service={"text-to-image": Service(0.1)}, refusal_s=0.05)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(subnet.serve())
        common = {"artifacts": f"file://{tmp_path / 'artifacts'}", "subnet_url": subnet.url, "internal_key": KEY}
        own, side = sides({**common, "state": "memory://"})
        stack.push_async_callback(own.close)
        stack.push_async_callback(side.close)
        gateway = await stack.enter_async_context(running(Settings(**common), works=False)) if apart else None
        assert isinstance(side.queue, LocalQueue)
        work = work_side(own, side, _door(own, gateway), Wakes())
        working = asyncio.create_task(side.queue.run(work.worker.work))
        stack.push_async_callback(asyncio.wait, [working])
        stack.callback(working.cancel)
        yield side


def _door(own: Inside, gateway: str | None) -> SubnetDoor:
    return GatewayDoor(own.pool, base_url=gateway, key=KEY) if gateway else OwnGates(own.backends, own.keeper)


@pytest.mark.parametrize("apart", [False, True], ids=["serve", "function"])
async def test_a_first_job_overtakes_those_that_wait_in_workers_hands(tmp_path: Path, apart: bool) -> None:
    async with at_work(tmp_path, apart=apart) as side, asyncio.timeout(60):
        annas = [await submit(side, "anna") for _ in range(5 * HANDS)]
        # Until the policy has learned that there is one slot, it tries more at once, and chance decides who gets it.
        while (before := await done(side, annas)) < 2 * HANDS:
            await asyncio.sleep(0.02)
        berts = await submit(side, "bert")
        job = await side.jobs.find(berts)
        assert job is not None
        assert await side.jobs.ahead(job) <= 2
        while not await done(side, [berts]):
            await asyncio.sleep(0.02)
        assert await done(side, annas) - before < HANDS / 2
