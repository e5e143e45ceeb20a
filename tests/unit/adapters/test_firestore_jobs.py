"""Jobs in Firestore, beyond what all stores of jobs hold to."""

import asyncio
import socket
import time
import uuid
from datetime import UTC, datetime

import pytest
from google.cloud.firestore_v1.async_client import AsyncClient

from spillway.adapters.firestore_jobs import FirestoreJobs
from spillway.domain import job_steps
from spillway.errors import Conflict, StoreUnavailable
from support.jobs import LANE, NOW, new_job

LEASE_S = 30.0
DAY_S = 86_400.0


def project() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


async def test_instances_go_on_with_each_others_jobs(firestore_host: str) -> None:
    name = project()
    one, two = FirestoreJobs(name, timeout_s=20), FirestoreJobs(name, timeout_s=20)
    job = await one.add(new_job())
    held = job_steps.claimed(job, "two", NOW + 10, LEASE_S)
    await two.save(held)
    with pytest.raises(Conflict):
        await one.save(job_steps.claimed(job, "one", NOW + 10, LEASE_S))
    renewed = job_steps.renewed(held, NOW + 20, LEASE_S)
    await one.save(renewed)
    await two.save(job_steps.renewed(renewed, NOW + 30, LEASE_S))
    await asyncio.gather(one.close(), two.close())


async def test_only_finished_jobs_expire(firestore_host: str) -> None:
    """A day after the sweep should have removed them."""
    name = project()
    jobs, client = FirestoreJobs(name, keep_s=3 * DAY_S, timeout_s=20), AsyncClient(project=name)
    job = await jobs.add(new_job())
    assert (await client.document("jobs", job.id).get()).get("expires") is None
    await jobs.save(job_steps.canceled(job, NOW + 10))
    expires = (await client.document("jobs", job.id).get()).get("expires")
    assert expires == datetime.fromtimestamp(NOW + 10 + 4 * DAY_S, UTC)
    await jobs.close()
    await client._firestore_api.transport.close()


@pytest.mark.parametrize("listening", [True, False])
async def test_silent_firestore_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, listening: bool) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{server.getsockname()[1]}")
    if not listening:
        server.close()
    jobs, job = FirestoreJobs("test", timeout_s=0.3), new_job()
    calls = [
        jobs.add(job), jobs.find(job.id), jobs.save(job_steps.canceled(job, NOW)), jobs.claimable(LANE, NOW),
        jobs.ahead(job), jobs.crowd(LANE), jobs.changed_since(NOW), jobs.remove(job.id),
    ]  # fmt: skip
    for call in calls:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await call
        assert time.monotonic() - began < 2
    await jobs.close()
    server.close()
