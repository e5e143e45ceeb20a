"""Many queued jobs and many listeners at one process: all hear all, soon, at a bounded price (benchmarks/jobs.py)."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from simulator import Service, SubnetGateway
from simulator.listeners import listening
from support.front_door import command

pytestmark = pytest.mark.alone

JOBS, LISTENERS, SLOTS = 160, 80, 16
ROUTES = """
[[routes]]
pipeline = "text-to-image"
deadline = 600
queue_limit = 3000
queue_seconds = 100000
"""
WISH = {"prompt": "a river", "width": 64, "height": 64}


def memory_mb(url: str) -> float:
    """What the front door of this URL holds of the machine's memory."""
    port = url.rpartition(":")[2].encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if {b"serve", port} <= set((process / "cmdline").read_bytes().split(b"\0")):
                return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        except OSError:
            continue
    raise AssertionError(f"no process serves at {url}")


async def test_everybody_hears_every_change_soon_and_memory_is_bounded(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=0, service={"text-to-image": Service(0.05)}, refusal_s=0.01)
    (tmp_path / "routes.toml").write_text(ROUTES)
    async with subnet.serve(), httpx.AsyncClient(timeout=60, trust_env=False) as client:
        with command(
            SPILLWAY_SUBNET_URL=subnet.url,
            SPILLWAY_STATE=f"sqlite:///{tmp_path}/state.db",
            SPILLWAY_ARTIFACTS=f"file://{tmp_path}/artifacts",
            SPILLWAY_ROUTES=f"{tmp_path}/routes.toml",
        ) as url:
            room = asyncio.Semaphore(16)

            async def submit() -> str:
                async with room:
                    reply = await client.post(f"{url}/text-to-image", json=WISH, headers={"prefer": "respond-async"})
                return str(reply.raise_for_status().json()["id"])

            ids = await asyncio.gather(*(submit() for _ in range(JOBS)))
            idle = memory_mb(url)
            async with listening(f"{url}/jobs/{job_id}/events" for job_id in ids[-LISTENERS:]) as (crowd, ended):
                subnet.slots = SLOTS
                async with asyncio.timeout(90):
                    await ended
                held = memory_mb(url)
    assert (crowd.ended, crowd.gaps) == (LISTENERS, 0)
    assert len(crowd.delays_s) >= 2 * LISTENERS
    # Half a second and 14 MB for 500 listeners are measured; a machine that is busy gets six times as long.
    assert crowd.quantile_s(0.99) < 3.0
    assert held - idle < 40
