"""With keys, a job is its caller's own, and so are an Idempotency-Key and the secret that signs webhooks."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faults.test_jobs_seen import WISH, Stage, assert_problem, stage
from spillway.adapters.sqlite_store import SqliteStore
from spillway.domain.keys import Key
from spillway.services.keys import Keys, Made
from support.listening import listening
from support.receiver import SECRET, receiving
from support.waiting import eventually


@dataclass
class Keyed:
    """The stage, and three keys: two dApps' and the operator's."""

    there: Stage
    anna: Made
    bert: Made
    admin: Made

    async def ask(self, made: Made, method: str, path: str, **headers: str) -> httpx.Response:
        """One request with a key."""
        sent = {"authorization": f"Bearer {made.token}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        body = WISH if method == "POST" else None
        return await self.there.door.client.request(method, self.there.door.url + path, json=body, headers=sent)

    async def a_job(self, made: Made, **headers: str) -> str:
        """The id of a job of a key."""
        reply = await self.ask(made, "POST", "/text-to-image", prefer="respond-async", **headers)
        assert reply.status_code == 202, reply.text
        return str(reply.json()["id"])


@asynccontextmanager
async def keyed(tmp_path: Path) -> AsyncIterator[Keyed]:
    """A front door that asks for keys."""
    store = SqliteStore(tmp_path / "state.db")
    keys = Keys(store, epoch=time.time, by="test")
    usual = ("inference", "jobs")
    anna, bert = [await keys.create(Key(id="", name=name, scopes=usual)) for name in ("anna", "bert")]
    admin = await keys.create(Key(id="", name="admin", scopes=("admin",)))
    await store.close()
    async with stage(tmp_path, auth="keys", allow_private_urls=True, webhook_secret=SECRET) as there:
        yield Keyed(there, anna, bert, admin)


async def test_job_is_seen_by_its_caller_and_the_operator_alone(tmp_path: Path) -> None:
    async with keyed(tmp_path) as there:
        job_id = await there.a_job(there.anna)
        assert (await there.ask(there.anna, "GET", f"/jobs/{job_id}")).status_code == 200
        assert (await there.ask(there.admin, "GET", f"/jobs/{job_id}")).status_code == 200
        for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
            assert_problem(await there.ask(there.bert, method, f"/jobs/{job_id}{path}"), 404, "job_not_found")
        waiting = await there.ask(there.bert, "GET", f"/jobs/{job_id}", prefer="wait=5")
        assert_problem(waiting, 404, "job_not_found")
        assert (await there.there.get(job_id)).status_code == 401
        assert (await there.ask(there.anna, "DELETE", f"/jobs/{job_id}")).json()["status"] == "canceled"


async def test_webhook_is_signed_with_the_keys_own_secret(tmp_path: Path) -> None:
    async with receiving() as receiver, keyed(tmp_path) as there:
        job_id = await there.a_job(there.anna, webhook_url=receiver.url)
        await there.ask(there.anna, "DELETE", f"/jobs/{job_id}")
        await eventually(lambda: receiver.received)
        assert receiver.received[0].verified(there.anna.key.webhook_secret)["id"] == job_id
        with pytest.raises(Exception, match="signature"):
            receiver.received[0].verified(SECRET)


async def test_callers_may_use_the_same_idempotency_key(tmp_path: Path) -> None:
    async with keyed(tmp_path) as there:
        first = await there.a_job(there.anna, idempotency_key="1")
        assert await there.a_job(there.anna, idempotency_key="1") == first
        assert await there.a_job(there.bert, idempotency_key="1") != first


async def test_callers_take_turns_in_the_queue(tmp_path: Path) -> None:
    async with keyed(tmp_path) as there:
        for _ in range(5):
            await there.a_job(there.anna)
        other = await there.a_job(there.bert)
        assert (await there.ask(there.bert, "GET", f"/jobs/{other}")).json()["queue_position"] == 2


async def test_listener_needs_its_key(tmp_path: Path) -> None:
    async with keyed(tmp_path) as there:
        job_id = await there.a_job(there.anna)
        async with listening(there.there.door.client, there.there.events(job_id)) as events:
            assert events.status == 401
