"""Finished jobs are posted to the addresses that came with them, over HTTP, and to none on the inside."""

import asyncio
import time
from pathlib import Path

import pytest

from faults.test_jobs_seen import Stage, assert_problem, stage
from spillway.domain.jobs import Webhook
from support.receiver import SECRET, Receiver, receiving
from support.waiting import eventually

ALLOWED = {"allow_private_urls": True, "webhook_secret": SECRET}


async def canceled(there: Stage, receiver: Receiver) -> str:
    """A job that is handed in and taken back: it has ended then, as any other."""
    job_id = await there.a_job(webhook_url=receiver.url)
    assert (await there.delete(job_id)).status_code == 200
    return job_id


async def test_finished_job_is_posted_as_it_is_shown(tmp_path: Path) -> None:
    async with receiving() as receiver, stage(tmp_path, **ALLOWED) as there:
        job_id = await canceled(there, receiver)
        await eventually(lambda: receiver.received)
        assert receiver.received[0].verified() == (await there.get(job_id)).json()
        assert receiver.received[0].headers["webhook-id"] == f"job_{job_id}"
        await asyncio.sleep(0.2)
        webhook = (await there.worker.job(job_id)).webhook
        assert webhook is not None
        assert (webhook.attempts, webhook.next_at) == (1, None)


@pytest.mark.parametrize("statuses", [(500, 200), (302, 200), (404, 503, 204)])
async def test_first_repeat_comes_within_five_seconds(tmp_path: Path, statuses: tuple[int, ...]) -> None:
    async with receiving(statuses) as receiver, stage(tmp_path, **ALLOWED) as there:
        receiver.location = receiver.url
        await canceled(there, receiver)
        await eventually(lambda: len(receiver.received) == 2)
        first, second = receiver.received[:2]
        assert 0 < second.at - first.at < 5.5
        assert second.headers["webhook-id"] == first.headers["webhook-id"]
        assert second.headers["webhook-signature"] != first.headers["webhook-signature"]
        assert second.verified() == first.verified()


async def test_receiver_that_is_gone_gets_no_more(tmp_path: Path) -> None:
    async with receiving([410]) as receiver, stage(tmp_path, **ALLOWED) as there:
        job_id = await canceled(there, receiver)
        await eventually(lambda: receiver.received)
        await asyncio.sleep(0.3)
        webhook = (await there.worker.job(job_id)).webhook
        assert webhook is not None
        assert (webhook.next_at, webhook.delivered_at) == (None, None)


@pytest.mark.parametrize(
    "url",
    ["http://example.com/hook", "https://127.0.0.1/hook", "https://2130706433/", "https://[::ffff:10.0.0.1]/",
     "https://169.254.169.254/computeMetadata/v1/", "https://metadata.google.internal/", "https://localhost/", "x"],
)  # fmt: skip
async def test_target_on_the_inside_is_refused_before_anything_is_kept(tmp_path: Path, url: str) -> None:
    async with stage(tmp_path) as there:
        reply = await there.submit(webhook_url=url)
        assert reply.status_code == 400
        assert "Webhook-Url" in reply.json()["error"]["message"]
        assert (await there.submit()).json()["queue_position"] == 1


async def test_target_that_leads_inside_only_later_is_refused_when_connecting(tmp_path: Path) -> None:
    """A name may change its mind after it was looked at; here the address is put into the store itself."""
    async with receiving() as receiver, stage(tmp_path, webhook_secret=SECRET) as there:
        job_id = await there.a_job(webhook_url="https://hooks.example.invalid/")
        job = await there.worker.job(job_id)
        assert job.webhook is not None
        await there.worker.redirect_webhook(job_id, receiver.url)
        assert (await there.delete(job_id)).status_code == 200

        async def tried() -> Webhook | None:
            webhook = (await there.worker.job(job_id)).webhook
            return webhook if webhook and webhook.attempts else None

        webhook = await eventually(tried)
        assert receiver.received == []
        assert webhook.next_at is not None
        assert webhook.next_at > time.time()


async def test_unsigned_where_nothing_signs(tmp_path: Path) -> None:
    async with receiving() as receiver, stage(tmp_path, allow_private_urls=True) as there:
        await canceled(there, receiver)
        await eventually(lambda: receiver.received)
        assert "webhook-signature" not in receiver.received[0].headers


async def test_problem_of_an_address_is_told_in_the_callers_own_words(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        body = {"prompt": "a river"}
        reply = await there.submit("/v1/images/generations", body, webhook_url="https://10.0.0.1/")
        assert reply.json()["error"]["param"] == "Webhook-Url"
        assert reply.json()["error"]["code"] == "webhook_refused"
        assert_problem(await there.get("nobody"), 404, "job_not_found")
