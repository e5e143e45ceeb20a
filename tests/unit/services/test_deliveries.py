"""Finished jobs reach their callers: at once, again where they did not arrive, from any process, and then no more."""

import asyncio
import json
from random import Random
from typing import Any

import pytest

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Job, Webhook
from spillway.domain.redelivery import GIVEN_UP_AFTER_S
from spillway.errors import StoreUnavailable, Unreachable
from spillway.ports.webhooks import Message
from spillway.services.webhooks import HOLD_S, Deliveries
from support.jobs import NOW, new_job

LEASE_S = 30.0


class Clock:
    """Epoch seconds, moved by hand."""

    now = NOW + 10

    def __call__(self) -> float:
        return self.now


class Receiver:
    """Adapter of ports.webhooks.Webhooks that answers what a test says; 0 is no answer at all."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[tuple[str, Message, str | None]] = []

    async def check(self, url: str) -> None:
        """Nothing is refused."""

    async def post(self, url: str, message: Message, secret: str | None) -> int:
        self.got.append((url, message, secret))
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            raise Unreachable("closed")
        return status


async def render(job: Job) -> dict[str, Any]:
    return {"id": job.id, "status": job.status}


async def secret_of(caller: str) -> str | None:
    return f"whsec_{caller}"


def deliveries(jobs: MemoryJobs, receiver: Receiver, clock: Clock) -> Deliveries:
    return Deliveries(jobs, receiver, render, secret_of, epoch=clock, chance=Random(1))


async def finished(jobs: MemoryJobs) -> Job:
    job = await jobs.add(new_job(webhook=Webhook("https://example.com/hook")))
    ended = job_steps.canceled(job, NOW + 10)
    await jobs.save(ended)
    return ended


async def test_finished_job_is_posted_at_once_with_its_callers_secret() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(), Clock()
    job = await finished(jobs)
    posting = deliveries(jobs, receiver, clock)
    posting.finished(job)
    await asyncio.sleep(0.01)
    [(url, message, secret)] = receiver.got
    assert (url, secret) == ("https://example.com/hook", "whsec_anna")
    assert json.loads(message.body) == {"id": job.id, "status": "canceled"}
    kept = await jobs.find(job.id)
    assert kept is not None
    assert kept.webhook == Webhook("https://example.com/hook", attempts=1, next_at=None, delivered_at=clock.now)


async def test_job_without_a_webhook_is_not_posted() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(), Clock()
    job = await jobs.add(new_job())
    deliveries(jobs, receiver, clock).finished(job_steps.canceled(job, NOW))
    await asyncio.sleep(0.01)
    assert receiver.got == []


@pytest.mark.parametrize("answer", [0, 301, 400, 404, 429, 500, 503])
async def test_what_did_not_arrive_is_sent_again_under_the_same_id(answer: int) -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(answer, 200), Clock()
    posting, job = deliveries(jobs, receiver, clock), await finished(jobs)
    tried = await posting.send(job)
    assert tried is not None
    assert tried.webhook is not None
    assert tried.webhook.next_at is not None
    assert 0 < tried.webhook.next_at - clock.now <= 5
    assert await posting.send(tried) is None
    clock.now = tried.webhook.next_at
    assert await posting.sweep() == 1
    assert [message.id for _, message, _ in receiver.got] == [f"job_{job.id}"] * 2
    assert receiver.got[1][1].at == clock.now
    assert await posting.sweep() == 0


async def test_receiver_that_is_gone_is_left_alone() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(410), Clock()
    posted = await deliveries(jobs, receiver, clock).send(await finished(jobs))
    assert posted is not None
    assert posted.webhook is not None
    assert (posted.webhook.next_at, posted.webhook.delivered_at) == (None, None)


async def test_after_a_day_it_is_given_up() -> None:
    jobs, clock = MemoryJobs(), Clock()
    receiver = Receiver(*[503] * 100)
    posting, began = deliveries(jobs, receiver, clock), clock.now
    await posting.send(await finished(jobs))
    while due := await jobs.unsent(began + 10 * GIVEN_UP_AFTER_S):
        clock.now = due[0].webhook_at or 0.0
        await posting.sweep()
    assert 20 < len(receiver.got) < 60
    assert GIVEN_UP_AFTER_S * 0.9 < clock.now - began <= GIVEN_UP_AFTER_S


async def test_two_processes_do_not_post_at_the_same_time() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(), Clock()
    job = await finished(jobs)
    results = await asyncio.gather(*(deliveries(jobs, receiver, clock).send(job) for _ in range(5)))
    assert sum(result is not None for result in results) == 1
    assert len(receiver.got) == 1


async def test_process_that_died_while_posting_is_replaced_by_a_sweep() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(), Clock()
    job = await finished(jobs)
    await jobs.save(job_steps.posting(job, clock.now + HOLD_S))
    posting = deliveries(jobs, receiver, clock)
    assert await posting.sweep() == 0
    clock.now += HOLD_S
    assert await posting.sweep() == 1
    assert len(receiver.got) == 1


async def test_first_repeats_need_no_sweep() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(503, 200), Clock()
    posting, job = deliveries(jobs, receiver, clock), await finished(jobs)
    posting.finished(job)
    await asyncio.sleep(0.01)
    assert len(receiver.got) == 1
    await posting.close()
    clock.now += 4
    kept = await jobs.find(job.id)
    assert kept is not None
    again = deliveries(jobs, receiver, clock)
    again.finished(kept)
    await asyncio.sleep(0.01)
    assert len(receiver.got) == 2


async def test_process_that_sleeps_between_requests_waits_for_what_it_has_begun() -> None:
    jobs, receiver, clock = MemoryJobs(), Receiver(503), Clock()
    posting, job = deliveries(jobs, receiver, clock), await finished(jobs)
    await posting.settle(10)
    posting.finished(job)
    await posting.settle(0.1)
    assert len(receiver.got) == 1
    await posting.close()


async def test_store_that_is_away_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Away(MemoryJobs):
        away = False

        async def save(self, job: Job) -> None:
            if self.away:
                raise StoreUnavailable("away")
            await super().save(job)

    jobs, receiver, clock = Away(), Receiver(), Clock()
    job = await finished(jobs)
    jobs.away = True
    posting = deliveries(jobs, receiver, clock)
    posting.finished(job)
    await asyncio.sleep(0.01)
    assert (receiver.got, len(caplog.records)) == ([], 1)
    jobs.away = False
    assert await posting.sweep() == 1
    assert len(receiver.got) == 1
