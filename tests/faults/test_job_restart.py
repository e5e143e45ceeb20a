"""A house that is stopped, or dies, takes its jobs up again: what runs at a provider is found, not started anew."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from faults.test_job_crash import ROUTES
from simulator import ReplicateApi, Service, SubnetGateway
from simulator.server import background
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.domain.jobs import Job
from support.front_door import command
from support.waiting import until

PICTURE = {"prompt": "a river", "width": 64, "height": 64}


def submit(client: httpx.Client, url: str, **headers: str) -> str:
    """A job's id."""
    answer = client.post(f"{url}/text-to-image", json=PICTURE, headers={"prefer": "respond-async", **headers})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def stored(path: Path, job_id: str) -> Job:
    """A job as the state has it."""
    jobs = SqliteJobs(path)
    job = await jobs.find(job_id)
    await jobs.close()
    assert job is not None
    return job


def job_once(client: httpx.Client, url: str, job_id: str, status: str) -> dict[str, Any]:
    """A job once it has this status."""

    def has_it() -> dict[str, Any] | None:
        job = client.get(f"{url}/jobs/{job_id}").json()
        return job if job["status"] == status else None

    return until(has_it)


def test_what_serve_has_in_hand_is_handed_back_though_a_listener_stays(tmp_path: Path) -> None:
    """SIGTERM comes while a video runs on the subnet, a prediction runs at Replicate, and somebody listens."""
    (tmp_path / "routes.toml").write_text(ROUTES)
    state = tmp_path / "state.db"
    subnet, replicate = SubnetGateway(service={"text-to-image": Service(60.0)}), ReplicateApi(service_s=12.0)
    with background(subnet), background(replicate), httpx.Client(timeout=30, trust_env=False) as client:
        env = {
            "SPILLWAY_STATE": f"sqlite:///{state}",
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_REPLICATE_URL": replicate.url,
            "REPLICATE_API_TOKEN": replicate.token,
            "SPILLWAY_ROUTES": str(tmp_path / "routes.toml"),
            "SPILLWAY_ARTIFACTS": f"file://{tmp_path / 'artifacts'}",
        }
        with command(**env) as url:
            on_subnet = submit(client, url)
            at_replicate = submit(client, url, **{"x-spillway-prefer": "fallback-only"})
            for one in (on_subnet, at_replicate):
                job_once(client, url, one, "running")
            listening = client.send(client.build_request("GET", f"{url}/jobs/{on_subnet}/events"), stream=True)
            asked_at, began = time.time(), time.monotonic()
        # `command` has sent SIGTERM, and waited for the end of the process.
        stopped_s = time.monotonic() - began
        listening.close()
        for one in (on_subnet, at_replicate):
            job = asyncio.run(stored(state, one))
            assert (job.status, job.changes[-1].cause, job.lease) == ("queued", "handed-back", None)
            assert job.changes[-1].at - asked_at < 10.0
        assert stopped_s < 15.0
        subnet.lose_all()
        subnet.time_scale = 0.01
        with command(**env) as url:
            done = job_once(client, url, at_replicate, "succeeded")
            job_once(client, url, on_subnet, "succeeded")
    assert done["served_by"] == "replicate"
    assert sum(replicate.created.values()) == 1
    causes = [change.cause for change in asyncio.run(stored(state, at_replicate)).changes]
    assert causes == ["accepted", "started", "handed-back", "found-again", "done"]
