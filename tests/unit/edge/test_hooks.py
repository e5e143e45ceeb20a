"""Only what Replicate has signed of late is heard, once; and it only ever adds what was missing."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from spillway.adapters.local_queue import LocalQueue
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Hosted, Job
from spillway.edge.bodies import Room
from spillway.edge.hooks import ReplicateHook
from spillway.errors import StoreUnavailable
from spillway.services.hooks import Hooks
from spillway.services.wakes import Wakes
from support.jobs import NOW, new_job

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBob29rcyBvZiByZXBsaWNhdGU="
OTHER = "whsec_" + "YW5vdGhlciBzZWNyZXQgb2Ygc29tZSBsZW5ndGggaGU="


class Words(LocalQueue):
    """A queue that notes what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    async def tell(self, lane: str, job_id: str) -> None:
        self.told.append(job_id)


class Scene:
    """A hook over jobs in memory, long after the lease of whoever started them has ended."""

    def __init__(self) -> None:
        self.jobs, self.queue, self.stopped = MemoryJobs(), Words(), list[str]()
        self.app = self.over(self.jobs)

    def over(self, jobs: MemoryJobs) -> ReplicateHook:
        """The hook."""
        hooks = Hooks(jobs, self.queue, Wakes(), stop=self._stop, epoch=lambda: NOW + 100)
        return ReplicateHook(hooks, Room(2**20, 2**20), SECRET)

    async def _stop(self, prediction_id: str) -> None:
        self.stopped.append(prediction_id)

    async def start(self, ids: tuple[str, ...] = (), parts: int = 1) -> Job:
        """A job that was started at Replicate by a worker which has died."""
        job = await self.jobs.add(new_job())
        job = job_steps.claimed(job, "worker", NOW + 10, 30.0)
        await self.jobs.save(job)
        job = job_steps.starting(job, Hosted("replicate", "flux", 0, NOW + 10, parts=parts))
        await self.jobs.save(job)
        if ids:
            job = job_steps.found(job, ids)
            await self.jobs.save(job)
        return job

    async def ids(self, job: Job) -> tuple[str, ...]:
        """What is known now."""
        found = await self.jobs.find(job.id)
        assert found is not None
        assert found.hosted is not None
        return found.hosted.ids

    async def post(
        self,
        query: str,
        body: Any,
        *,
        secret: str = SECRET,
        message_id: str = "msg_1",
        age_s: float = 0.0,
        changed: bytes = b"",
    ) -> int:
        """One report; its status."""
        text = json.dumps(body)
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, at, text),
        }
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://hook") as client:
            answer = await client.post(f"/hooks/replicate?{query}", content=text.encode() + changed, headers=headers)
        return answer.status_code


def at(job: Job, run: int | None = None) -> str:
    """The address that a job's start was given."""
    assert job.hosted is not None
    return f"job={job.id}&run={job.hosted.run if run is None else run}"


async def test_a_start_tells_the_id_that_nobody_has_stored() -> None:
    scene = Scene()
    job = await scene.start()
    assert await scene.post(at(job), {"id": "abc", "status": "processing"}) == 204
    assert (await scene.ids(job), scene.queue.told) == (("abc",), [])


async def test_an_end_tells_a_worker_of_a_job_that_nobody_holds() -> None:
    scene = Scene()
    job = await scene.start(("abc",))
    assert await scene.post(at(job), {"id": "abc", "status": "succeeded"}) == 204
    assert scene.queue.told == [job.id]


async def test_what_is_known_already_is_not_written_over() -> None:
    scene = Scene()
    job = await scene.start(("abc",))
    assert await scene.post(at(job), {"id": "xyz", "status": "processing"}) == 204
    assert (await scene.ids(job), scene.stopped) == (("abc",), ["xyz"])


async def test_one_id_of_several_is_not_taken_for_all() -> None:
    scene = Scene()
    job = await scene.start(parts=3)
    assert await scene.post(at(job), {"id": "abc", "status": "processing"}) == 204
    assert (await scene.ids(job), scene.stopped) == ((), [])


async def test_parts_that_tell_of_themselves_are_known_when_the_last_has() -> None:
    scene = Scene()
    job = await scene.start(parts=3)
    for number, (part, prediction) in enumerate([(2, "c"), (0, "a"), (0, "a"), (1, "b")]):
        assert await scene.ids(job) == ()
        query = f"{at(job)}&part={part}"
        told = {"id": prediction, "status": "processing"}
        assert await scene.post(query, told, message_id=f"msg_{number}") == 204
    assert (await scene.ids(job), scene.stopped) == (("a", "b", "c"), [])


async def test_a_part_that_there_never_was_is_one_too_many() -> None:
    scene = Scene()
    job = await scene.start(parts=3)
    assert await scene.post(f"{at(job)}&part=3", {"id": "x", "status": "processing"}) == 204
    assert scene.stopped == ["x"]


@pytest.mark.parametrize(("status", "stopped"), [("processing", ["abc"]), ("succeeded", [])])
async def test_an_earlier_start_is_not_taken_for_this_one_and_ended_at_the_provider(
    status: str, stopped: list[str]
) -> None:
    scene = Scene()
    job = await scene.start()
    assert await scene.post(at(job, run=1), {"id": "abc", "status": status}) == 204
    assert (await scene.ids(job), scene.stopped, scene.queue.told) == ((), stopped, [])


async def test_what_was_canceled_before_its_id_was_known_is_ended_when_it_is() -> None:
    scene = Scene()
    job = await scene.start()
    await scene.jobs.save(job_steps.canceled(job, NOW + 20))
    assert await scene.post(at(job), {"id": "abc", "status": "processing"}) == 204
    assert scene.stopped == ["abc"]


async def test_a_start_that_is_told_of_after_its_end_is_left_alone() -> None:
    scene = Scene()
    job = job_steps.started(await scene.start(("abc",)), NOW + 12, "replicate")
    await scene.jobs.save(job)
    await scene.jobs.save(job_steps.succeeded(job, NOW + 20, "results/1", "flux"))
    assert await scene.post(at(job), {"id": "abc", "status": "processing"}) == 204
    assert (scene.stopped, scene.queue.told) == ([], [])


@pytest.mark.parametrize("how", [{"secret": OTHER}, {"changed": b" "}, {"age_s": 400.0}, {"age_s": -400.0}])
async def test_what_is_not_signed_of_late_by_replicate_is_not_heard(how: dict[str, Any]) -> None:
    scene = Scene()
    job = await scene.start()
    assert await scene.post(at(job), {"id": "abc", "status": "processing"}, **how) == 401
    assert await scene.ids(job) == ()


async def test_without_a_signature_nothing_is_heard() -> None:
    scene = Scene()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(scene.app), base_url="http://hook") as client:
        assert (await client.post("/hooks/replicate", json={"id": "abc"})).status_code == 401


@pytest.mark.parametrize("signature", ["nonsense", "v1,a,b", "v1,!", ","])
async def test_a_signature_of_no_known_form_is_a_wrong_one(signature: str) -> None:
    scene = Scene()
    signed = {"webhook-id": "msg_1", "webhook-timestamp": f"{time.time():.0f}", "webhook-signature": signature}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(scene.app), base_url="http://hook") as client:
        assert (await client.post("/hooks/replicate", json={"id": "abc"}, headers=signed)).status_code == 401


async def test_a_replayed_report_does_nothing_more() -> None:
    scene = Scene()
    job = await scene.start(("abc",))
    told = {"id": "abc", "status": "succeeded"}
    assert [await scene.post(at(job), told) for _ in range(3)] == [204] * 3
    assert scene.queue.told == [job.id]


@pytest.mark.parametrize("query", ["", "job=a", "job=a&run=x", "run=1", "job=a&run=1&part=-1"])
async def test_an_address_that_names_no_job_is_said_to_be_wrong(query: str) -> None:
    assert await Scene().post(query, {"id": "abc", "status": "processing"}) == 400


@pytest.mark.parametrize("body", [[], {"id": 7}, {"status": "succeeded"}, "text"])
async def test_a_body_that_is_no_prediction_is_said_to_be_wrong(body: Any) -> None:
    assert await Scene().post("job=a&run=1", body) == 400


async def test_a_job_that_is_not_there_any_more_is_no_error() -> None:
    assert await Scene().post("job=gone&run=1", {"id": "abc", "status": "succeeded"}) == 204


async def test_a_store_that_is_away_has_the_report_sent_again() -> None:
    class Away(MemoryJobs):
        async def find(self, job_id: str) -> Job | None:
            raise StoreUnavailable("away")

    scene = Scene()
    scene.app = scene.over(Away())
    assert await scene.post("job=a&run=1", {"id": "abc", "status": "succeeded"}) == 503
