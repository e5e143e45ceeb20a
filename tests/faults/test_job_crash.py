"""Workers are killed at random moments, thirty times: every job ends once, with its result, and is paid once."""

import asyncio
import io
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest

from simulator import ReplicateApi, Service, SubnetGateway
from spillway.assembly.inside import Inside
from spillway.assembly.jobs import JobSide, stop_prediction
from spillway.domain.callers import Caller
from spillway.domain.jobs import OVER, Change, Job
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import Terms
from spillway.edge.bodies import Room
from spillway.edge.hooks import ReplicateHook
from spillway.edge.requests import json_request
from spillway.errors import StoreUnavailable
from spillway.services.hooks import Hooks
from spillway.services.jobs import Order
from spillway.services.wakes import Wakes
from spillway.settings import Settings
from support import crash_worker
from support.front_door import running, serving
from support.waiting import eventually

T = TypeVar("T")

JOBS, KILLS, WORKERS = 200, 30, 4
KEY, TOKEN = "a key of some length", "r8_test"
SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBob29rcyBvZiByZXBsaWNhdGU="
ROUTES = """
[providers.replicate]
kind = "replicate"
[[routes]]
pipeline = "text-to-image"
deadline = 20
subnet_timeout = 10
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
usd_per_job = 0.003
input = { prompt = "{prompt}", seed = "{seed}", output_format = "png" }
"""


async def stubborn(call: Callable[[], Awaitable[T]]) -> T:
    """The store's answer, however busy the machine is."""
    while True:
        with suppress(StoreUnavailable):
            return await call()


@dataclass
class World:
    """A subnet, a provider, a gateway before them, and the workers with what they share."""

    subnet: SubnetGateway
    replicate: ReplicateApi
    settings: dict[str, Any]
    gateway: str
    logs: Path
    own: Inside
    side: JobSide
    env: dict[str, str]
    seen: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    holders: set[str] = field(default_factory=set)
    workers: list[BaseProcess] = field(default_factory=list)
    pictures: dict[str, int] = field(default_factory=dict)

    def hire(self) -> None:
        """One more worker."""
        log = self.logs / f"{len(list(self.logs.iterdir()))}.log"
        self.workers.append(crash_worker.start(self.settings, self.gateway, log, self.env))

    async def submit(self, count: int) -> list[str]:
        """Every second job may only go to the provider, and every fourth is two predictions there."""
        body = {"prompt": "a river", "width": 64, "height": 64}
        ids: list[str] = []
        for n in range(count):
            pictures = 2 if n % 4 == 1 else 1
            wish = {**body, "seed": n, "num_images_per_prompt": pictures}
            request = json_request(PIPELINES["text-to-image"], wish)
            prefer = "fallback-only" if n % 2 else "auto"
            terms = Terms(prefer=prefer, public_url=self.gateway, caller=Caller(f"caller {n % 3}"))
            content = request.payload.content()
            assert isinstance(content, bytes)
            order = Order(request, terms, "livepeer", io.BytesIO(content), request.payload.content_type)
            ids.append((await stubborn(lambda order=order: self.side.desk.submit(order))).id)
            self.pictures[ids[-1]] = pictures
        return ids

    async def look(self, ids: list[str]) -> list[Job]:
        """All jobs as they are; what was seen of their histories is still there, in the same order."""
        jobs = await stubborn(lambda: self.side.jobs.find_many(ids))
        assert len(jobs) == len(ids)
        for job in jobs:
            before = self.seen.get(job.id, ())
            assert job.changes[: len(before)] == before, "a history was rewritten"
            self.seen[job.id] = job.changes
            if job.lease:
                self.holders.add(job.lease.holder)
        return jobs

    async def all_busy(self, ids: list[str], kills: int) -> None:
        """Wait, but not for ever, until those workers have taken up jobs that stand at the head of the line to die."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                while len(self.holders) < kills + WORKERS / 2:
                    await self.look(ids)
                    await asyncio.sleep(0.05)

    async def all_over(self, ids: list[str], within_s: float) -> list[Job]:
        """The jobs at their ends."""

        async def over() -> list[Job] | None:
            jobs = await self.look(ids)
            return jobs if all(job.over for job in jobs) else None

        return await eventually(over, within_s, every_s=0.3)

    def gaps(self) -> int:
        """How often a worker has said that a start may be paid twice."""
        return sum(log.read_text().count("may be paid twice") for log in self.logs.iterdir())

    def predictions(self) -> Counter[str]:
        """How many were created for each job."""
        named = (parse_qs(urlsplit(one.webhook or "").query) for one in self.replicate.predictions.values())
        return Counter(query["job"][0] for query in named)


@asynccontextmanager
async def world(tmp_path: Path, state: str, *, hook: bool, env: dict[str, str]) -> AsyncIterator[World]:
    """All of it, ended in the end."""
    subnet = SubnetGateway(slots=6, service={"text-to-image": Service(0.3)}, refusal_s=0.05)
    replicate = ReplicateApi(TOKEN, service_s=0.8)
    replicate.webhooks.key = SECRET
    (tmp_path / "routes.toml").write_text(ROUTES)
    (tmp_path / "logs").mkdir()
    async with AsyncExitStack() as stack:
        for upstream in (subnet, replicate):
            await stack.enter_async_context(upstream.serve())
        common = {
            "subnet_url": subnet.url,
            "replicate_url": replicate.url,
            "REPLICATE_API_TOKEN": TOKEN,
            "replicate_webhook_secret": SECRET,
            "routes": tmp_path / "routes.toml",
            "artifacts": f"file://{tmp_path / 'artifacts'}",
            "internal_key": KEY,
            "allow_private_urls": True,
        }
        gateway = await stack.enter_async_context(running(Settings(**{**common, "state": "memory://"})))
        own, side = crash_worker.sides({**common, "state": state})
        stack.push_async_callback(own.close)
        stack.push_async_callback(side.close)
        hooks = Hooks(side.jobs, side.queue, Wakes(), stop=stop_prediction(own), epoch=own.backends.epoch)
        reports = ReplicateHook(hooks, Room(2**20, 2**24), SECRET)
        hooked = await stack.enter_async_context(serving(reports)) if hook else "http://127.0.0.1:9"
        there = World(
            subnet, replicate, {**common, "state": state, "public_url": hooked}, gateway, tmp_path / "logs", own, side,
            env,
        )  # fmt: skip
        try:
            yield there
        finally:
            for worker in there.workers:
                worker.kill()
                worker.join()


@pytest.fixture(params=["sqlite", "firestore"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Where jobs are, and what a process needs in its environment for it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}", {}
    host = request.getfixturevalue("firestore_emulator")
    os.environ["FIRESTORE_EMULATOR_HOST"] = host
    request.addfinalizer(lambda: os.environ.pop("FIRESTORE_EMULATOR_HOST"))
    return f"firestore://crash-{random.randrange(10**9)}/", {"FIRESTORE_EMULATOR_HOST": host}


@pytest.mark.timeout(300)
async def test_whatever_dies_every_job_ends_once_and_is_paid_once(
    tmp_path: Path, state: tuple[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(7)
    async with world(tmp_path, state[0], hook=True, env=state[1]) as there:
        crash_worker.prepare()
        for _ in range(WORKERS):
            there.hire()
        ids = await there.submit(JOBS - 4 * KILLS)
        for kills in range(KILLS):
            await there.all_busy(ids, kills)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            there.workers.pop(0 if chance.random() < 0.7 else chance.randrange(WORKERS)).kill()
            there.hire()
            ids += await there.submit(4)
        jobs = await there.all_over(ids, 60.0)

        assert Counter(job.status for job in jobs) == {"succeeded": JOBS}, [job.error for job in jobs if job.error]
        for job in jobs:
            assert [change.sequence for change in job.changes] == list(range(1, len(job.changes) + 1))
            assert [change.status in OVER for change in job.changes] == [False] * (len(job.changes) - 1) + [True]
            assert job.result is not None
            content = await there.side.files.read(job.result)
            assert content is not None
            with content:
                assert len(json.loads(content.read())["images"]) == there.pictures[job.id]
        made, gaps = there.predictions(), there.gaps()
        twice = sum(count - there.pictures[job_id] for job_id, count in made.items())
        deaths = sum(job.deaths for job in jobs)
        with capsys.disabled():
            print(  # noqa: T201 (the size of the gap is a finding)
                f"\n{state[0].partition(':')[0]}: {JOBS} jobs, {KILLS} kills, {deaths} jobs lost their worker; "
                f"{sum(made.values())} predictions for {len(made)} jobs, {twice} paid twice, {gaps} in the gap"
            )
        assert deaths >= KILLS / 3
        # The webhook closes the gap but for a worker that dies in the very moment of the call.
        assert twice <= min(gaps, 3)
        assert gaps <= JOBS / 10
