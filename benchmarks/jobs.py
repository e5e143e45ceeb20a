"""Many queued jobs and many listeners: how soon each hears of a change, and what it costs in memory.

`.venv/bin/python benchmarks/jobs.py [--jobs 1000] [--listeners 500]`: `spillway serve` over SQLite, alone and as two
processes over one file, before a subnet of eight slots that is switched on when everybody listens.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import servers

from simulator import Service, SubnetGateway
from simulator.listeners import Crowd, listening

SLOTS, SERVICE_S = 8, 0.1
ROUTES = """
[[routes]]
pipeline = "text-to-image"
deadline = 600
queue_limit = 3000
queue_jobs = 100000
queue_seconds = 100000
"""
WISH = {"prompt": "a river", "width": 64, "height": 64}
IN_FLIGHT = 16


async def submit(urls: list[str], jobs: int) -> tuple[list[str], list[float]]:
    """The ids of jobs handed in at all doors in turn, and how long each took."""
    took: list[float] = []
    room = asyncio.Semaphore(IN_FLIGHT)
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

        async def one(number: int) -> str:
            async with room:
                began = time.monotonic()
                url = f"{urls[number % len(urls)]}/text-to-image"
                reply = await client.post(url, json=WISH, headers={"prefer": "respond-async"})
                took.append(time.monotonic() - began)
            return str(reply.raise_for_status().json()["id"])

        return await asyncio.gather(*map(one, range(jobs))), took


async def run(processes: int, jobs: int, listeners: int) -> None:
    """Print one row."""
    subnet = SubnetGateway(slots=0, service={"text-to-image": Service(SERVICE_S)}, refusal_s=0.01)
    async with subnet.serve():
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            doors = [stack.enter_context(_door(Path(folder), subnet.url)) for _ in range(processes)]
            urls = [f"http://127.0.0.1:{door.port}" for door in doors]
            before = sum(door.memory_mb() for door in doors)
            ids, took = await submit(urls, jobs)
            queued = sum(door.memory_mb() for door in doors)
            heard = [f"{urls[n % processes]}/jobs/{job_id}/events" for n, job_id in enumerate(ids[-listeners:])]
            async with listening(heard) as (crowd, ended):
                await asyncio.sleep(5)
                listened = sum(door.memory_mb() for door in doors)
                used, began = sum(door.cpu_seconds() for door in doors), time.monotonic()
                subnet.slots = SLOTS
                peak = await _peak(doors, ended)
                busy_s = time.monotonic() - began
                used = sum(door.cpu_seconds() for door in doors) - used
            row = [processes, jobs, listeners, f"{1 / (sum(took) / len(took)) * IN_FLIGHT:.0f}", *_delays(crowd)]
            row += [f"{mb:.0f}" for mb in (before, queued, listened, peak)] + [f"{used / busy_s:.2f}"]
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
            assert crowd.gaps == 0, "a listener missed a change"


def _delays(crowd: Crowd) -> list[str]:
    return [str(len(crowd.delays_s)), *(f"{crowd.quantile_s(q) * 1000:.0f}" for q in (0.5, 0.99, 1.0))]


async def _peak(doors: list[servers.Server], ended: "asyncio.Future[Any]") -> float:
    peak = 0.0
    while not ended.done():
        peak = max(peak, sum(door.memory_mb() for door in doors))
        await asyncio.wait([ended], timeout=0.5)
    await ended
    return peak


def _door(folder: Path, subnet: str) -> Any:
    (folder / "routes.toml").write_text(ROUTES)
    port = servers.free_port()
    return servers.started(
        [servers.BIN / "spillway", "serve", "--port", str(port)],
        port,
        SPILLWAY_SUBNET_URL=subnet,
        SPILLWAY_ROUTES=str(folder / "routes.toml"),
        SPILLWAY_STATE=f"sqlite:///{folder}/state.db",
        SPILLWAY_ARTIFACTS=f"file://{folder}/artifacts",
        SPILLWAY_AUTH="none",
    )


def main() -> None:
    """Both set-ups."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--listeners", type=int, default=500)
    given = parser.parse_args()
    print("| processes | jobs | listeners | taken in/s | changes heard | p50, ms | p99, ms | longest, ms | MB idle "
          "| MB queued | MB listened to | MB at most | cores |")  # fmt: skip
    print("|---" * 13 + "|")
    for processes in (1, 2):
        asyncio.run(run(processes, given.jobs, given.listeners))


if __name__ == "__main__":
    main()
