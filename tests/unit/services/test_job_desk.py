"""Jobs are taken in durably or not at all, within bounds, and taken back under anybody's hands."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from spillway.adapters.local_queue import LocalQueue
from spillway.adapters.memory_files import MemoryFiles
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.callers import EVERYTHING, Caller
from spillway.domain.jobs import Hosted, Job
from spillway.domain.routes import Route
from spillway.errors import BadRequest, JobOver, QueueFull, QueueUnavailable, StoreUnavailable
from spillway.ports.jobs import Crowd
from spillway.services.jobs import LIFE_S
from support.desks import ANNA, USUAL_S, Office, falls_back
from support.jobs import NOW

LEASE_S = 30.0


class Doubtful(MemoryJobs):
    """A store that loses replies, or requests, or is overtaken."""

    lose_reply = lose_request = False
    overtaken = 0

    async def add(self, job: Job) -> Job:
        if self.lose_request:
            raise StoreUnavailable("lost")
        added = await super().add(job)
        if self.lose_reply:
            raise StoreUnavailable("the reply was lost")
        return added

    async def save(self, job: Job) -> None:
        if self.overtaken:
            self.overtaken -= 1
            await super().save(job_steps.renewed(self._kept[job.id], NOW, LEASE_S))
        await super().save(job)


class Full(MemoryFiles):
    """A disk that takes nothing."""

    async def write(self, *_: object) -> None:
        raise StoreUnavailable("full")


class Deaf(LocalQueue):
    """A queue that takes no word."""

    async def tell(self, lane: str, job_id: str) -> None:
        raise QueueUnavailable("away")


async def test_job_bears_what_was_asked() -> None:
    there = Office(route=falls_back(queue_limit=90), providers={"hosted"})
    job = await there.submit(Caller("anna", priority=-1), public_url="https://front.example")
    assert (job.lane, job.caller, job.priority) == ("text-to-image stabilityai/sdxl-turbo", "anna", -1)
    assert (job.queue_until, job.expires_at) == (NOW + 90, NOW + LIFE_S)
    assert job.public_url == "https://front.example"
    assert await there.jobs.find(job.id) == job
    assert await there.files.read(job.input) is not None


async def test_lane_is_the_routes_own_where_it_names_a_model() -> None:
    there = Office(route=Route(pipeline="text-to-image", model="stabilityai/sdxl-turbo"))
    assert (await there.submit()).lane == "text-to-image stabilityai/sdxl-turbo"


async def test_terms_of_the_caller_bound_its_waiting() -> None:
    there = Office(route=falls_back(), providers={"hosted"})
    assert (await there.submit(deadline_s=30.0)).expires_at == NOW + 30
    assert (await there.submit(prefer="fallback-only")).queue_until == NOW


async def test_job_that_nobody_else_does_is_estimated_by_the_subnet_alone() -> None:
    """Its time in the queue does not end with the route's: there is no fallback to go to then."""
    usual = Office(route=falls_back(queue_limit=90), providers={"hosted"})
    for there, prefer in ((usual, "subnet-only"), (Office(route=falls_back(queue_limit=90)), "auto")):
        for _ in range(30):
            job = await there.submit(prefer=prefer)
        assert job.queue_until == job.expires_at
        assert (await there.views.outlook(job)).eta_seconds == 29 * USUAL_S + USUAL_S
    job = await usual.submit()
    assert (await usual.views.outlook(job)).eta_seconds == 90 + USUAL_S


async def test_input_that_can_not_be_kept_is_no_job() -> None:
    there = Office(files=Full())
    with pytest.raises(StoreUnavailable):
        await there.submit()
    assert await there.jobs.waiting(NOW + 1) == []


async def test_job_whose_reply_was_lost_is_found() -> None:
    jobs = Doubtful()
    jobs.lose_reply = True
    there = Office(jobs=jobs)
    job = await there.submit()
    assert await jobs.find(job.id) == job


async def test_job_that_was_lost_is_not_promised() -> None:
    jobs = Doubtful()
    jobs.lose_request = True
    with pytest.raises(StoreUnavailable):
        await Office(jobs=jobs).submit()


async def test_queue_that_hears_nothing_does_not_matter(caplog: pytest.LogCaptureFixture) -> None:
    there = Office(queue=Deaf())
    job = await there.submit()
    assert await there.jobs.waiting(NOW + 1) == [job]
    assert "next sweep" in caplog.text


async def test_retry_after_is_the_time_of_those_that_are_too_many() -> None:
    there = Office(route=Route(pipeline="text-to-image", queue_jobs=3))
    for _ in range(3):
        await there.submit()
    with pytest.raises(QueueFull) as full:
        await there.submit()
    assert full.value.retry_after_s == USUAL_S


async def test_lane_is_bounded_by_seconds_where_nobody_else_takes_its_jobs() -> None:
    bounded = {"queue_limit": 5, "queue_seconds": 10}
    alone, falling = Office(route=falls_back(**bounded)), Office(route=falls_back(**bounded), providers=("hosted",))
    for there in (alone, falling):
        for _ in range(3):
            await there.submit()
    with pytest.raises(QueueFull) as full:
        await alone.submit()
    assert full.value.retry_after_s == pytest.approx(3 * USUAL_S - 10)
    await falling.submit()
    with pytest.raises(QueueFull):
        await falling.submit(prefer="subnet-only")


class Slow(MemoryJobs):
    """Whoever comes meanwhile does not see what is on its way."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance

    async def crowd(self, lane: str) -> Crowd:
        found = await super().crowd(lane)
        await asyncio.sleep(self._chance.random() / 100)
        return found

    async def add(self, job: Job) -> Job:
        await asyncio.sleep(self._chance.random() / 100)
        return await super().add(job)


@pytest.mark.parametrize("seed", range(5))
async def test_a_burst_fills_the_queue_to_its_bound_and_no_further(seed: int) -> None:
    there = Office(jobs=Slow(Random(seed)), route=Route(pipeline="text-to-image", queue_jobs=10))

    async def one(number: int) -> bool:
        await asyncio.sleep(number / 2000)
        with suppress(QueueFull):
            return bool(await there.submit())
        return False

    taken = await asyncio.gather(*map(one, range(50)))
    assert (sum(taken), len(await there.jobs.waiting(NOW + 1))) == (10, 10)


async def test_one_lane_does_not_fill_another() -> None:
    there = Office(route=Route(pipeline="text-to-image", queue_jobs=1))
    job = await there.submit()
    await there.jobs.remove(job.id)
    await there.jobs.add(replace(job, lane="text-to-image other", id="other"))
    await there.submit()


async def test_job_is_its_callers_and_the_operators() -> None:
    there = Office()
    job = await there.submit()
    assert await there.desk.find(job.id, ANNA) == job
    assert await there.desk.find(job.id, Caller("operator", scopes=EVERYTHING)) == job
    for stranger, job_id in ((Caller("bert"), job.id), (ANNA, "nobody")):
        with pytest.raises(BadRequest) as unknown:
            await there.desk.find(job_id, stranger)
        assert (unknown.value.status, unknown.value.code) == (404, "job_not_found")


async def test_canceling_wins_against_a_worker_that_writes_all_the_time() -> None:
    jobs = Doubtful()
    there = Office(jobs=jobs)
    job = await there.submit()
    await jobs.save(job_steps.claimed(job, "worker", NOW, LEASE_S))
    jobs.overtaken = 5
    assert (await there.desk.cancel(job.id, ANNA)).status == "canceled"
    jobs.overtaken = 0
    assert (await there.desk.cancel(job.id, ANNA)).status == "canceled"


async def test_what_runs_at_a_provider_is_ended_there() -> None:
    there = Office()
    job, other = await there.submit(), await there.submit()
    begun = job_steps.claimed(job, "worker", NOW, LEASE_S)
    await there.jobs.save(begun)
    await there.jobs.save(job_steps.starting(begun, Hosted("hosted", "m", 0, NOW, ids=("p1",))))
    await there.desk.cancel(job.id, ANNA)
    await there.desk.cancel(other.id, ANNA)
    assert there.stopped == [job.id]


async def test_finished_job_stays_as_it_is() -> None:
    there = Office()
    job = await there.submit()
    held = job_steps.claimed(job, "worker", NOW, LEASE_S)
    await there.jobs.save(held)
    done = job_steps.succeeded(held, NOW + 1, "results/x", "m")
    await there.jobs.save(done)
    with pytest.raises(JobOver):
        await there.desk.cancel(job.id, ANNA)
    assert await there.jobs.find(job.id) == done
