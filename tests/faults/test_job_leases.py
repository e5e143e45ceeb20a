"""A worker loses its job while a start at Replicate is under way, and lives on: nothing is paid for twice in full."""

import asyncio
import io
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from faults.test_job_crash import ROUTES, TOKEN
from simulator import Fault, ReplicateApi
from spillway.adapters.local_queue import LocalQueue
from spillway.assembly.jobs import JobSide
from spillway.assembly.worker import work_side
from spillway.domain import job_steps
from spillway.domain.callers import Caller
from spillway.domain.jobs import Hosted, Job, Lease
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import Terms
from spillway.edge.requests import json_request
from spillway.errors import Conflict
from spillway.services.holding import Step
from spillway.services.jobs import Order
from spillway.services.starting import CREATE_S
from spillway.services.wakes import Wakes
from support.crash_worker import sides
from support.waiting import eventually

NEVER_S = 60.0


@dataclass
class Scene:
    """A worker, and a provider that takes its time to answer a start."""

    side: JobSide
    replicate: ReplicateApi

    async def until_starting(self) -> Job:
        """A new job, once its worker is about to start it at the provider; only that is stored so far."""
        request = json_request(PIPELINES["text-to-image"], {"prompt": "a river", "width": 64, "height": 64})
        terms = Terms(prefer="fallback-only", public_url="http://127.0.0.1:9", caller=Caller("anna"))
        content = request.payload.content()
        assert isinstance(content, bytes)
        order = Order(request, terms, "livepeer", io.BytesIO(content), request.payload.content_type)
        job = await self.side.desk.submit(order)
        async with asyncio.timeout(10.0):
            while (job := await self.now(job)).hosted is None:
                await asyncio.sleep(0.01)
        assert job.hosted is not None
        assert job.hosted.ids == ()
        return job

    async def now(self, job: Job) -> Job:
        """A job as it is stored."""
        found = await self.side.jobs.find(job.id)
        assert found is not None
        return found

    async def ids(self, job: Job) -> tuple[str, ...]:
        """What is known by now."""
        hosted = (await self.now(job)).hosted
        assert hosted is not None
        return hosted.ids

    async def write(self, job: Job, *steps: Step) -> Job:
        """Steps of another worker's, in the face of renewals."""
        for step in steps:
            while True:
                with suppress(Conflict):
                    await self.side.jobs.save(job := step(await self.now(job)))
                    break
        return job

    async def until_canceled(self) -> None:
        """The one prediction that there is."""
        await eventually(lambda: self.replicate.ended["canceled"] == 1)
        assert sum(self.replicate.created.values()) == 1


def taken(job: Job) -> Job:
    """In another worker's hand, as after a lease that could not be renewed in time."""
    return replace(job, revision=job.revision + 1, lease=Lease("another", time.time() + 60))


def anew(job: Job) -> Job:
    """Started once more."""
    return job_steps.starting(job, Hosted("replicate", "black-forest-labs/flux-schnell", 0, time.time()))


@asynccontextmanager
async def scene(
    tmp_path: Path, *, answers_after_s: float = 1.0, lease_s: float = 30.0, renew_s: float = NEVER_S, state: str = ""
) -> AsyncIterator[Scene]:
    (tmp_path / "routes.toml").write_text(ROUTES)
    slow = Fault("slow_first_byte", "/v1/models", method="POST", delay_s=answers_after_s)
    replicate = ReplicateApi(TOKEN, service_s=30.0, faults=[slow])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(replicate.serve())
        own, side = sides({
            "state": state or "memory://", "artifacts": f"file://{tmp_path / 'artifacts'}",
            "routes": tmp_path / "routes.toml", "replicate_url": replicate.url, "REPLICATE_API_TOKEN": TOKEN,
        })  # fmt: skip
        stack.push_async_callback(own.close)
        stack.push_async_callback(side.close)
        assert isinstance(side.queue, LocalQueue)
        worker = work_side(own, side, None, Wakes(), lease_s=lease_s, renew_s=renew_s).worker
        working = asyncio.create_task(side.queue.run(worker.work))
        stack.push_async_callback(asyncio.wait, [working])
        stack.callback(working.cancel)
        yield Scene(side, replicate)


async def test_what_another_worker_goes_on_with_is_found_by_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        job = await there.write(await there.until_starting(), taken)
        await eventually(lambda: there.ids(job))
        assert await there.ids(job) == tuple(there.replicate.predictions)
        await asyncio.sleep(0.3)
        assert there.replicate.ended["canceled"] == 0


@pytest.mark.parametrize(("answers_after_s", "renew_s"), [(1.0, NEVER_S), (CREATE_S + 1.0, 0.1)])
async def test_what_another_worker_has_started_anew_is_not_paid_twice(
    tmp_path: Path, answers_after_s: float, renew_s: float
) -> None:
    """Whether the worker hears by the answer that it has lost the job, or has let go of it long before."""
    async with scene(tmp_path, answers_after_s=answers_after_s, renew_s=renew_s) as there:
        job = await there.write(await there.until_starting(), taken, job_steps.gone, anew)
        await there.until_canceled()
        assert await there.now(job) == job


async def test_what_nobody_can_be_told_of_is_not_left_to_run(tmp_path: Path) -> None:
    """No write is taken for longer than the lease lasts, and no webhook will tell the id either."""
    async with scene(tmp_path, state=f"sqlite:///{tmp_path / 'state.db'}", lease_s=1.5) as there:
        await there.until_starting()
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            await there.until_canceled()
