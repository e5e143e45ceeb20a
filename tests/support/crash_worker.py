"""Worker processes that may be killed at any moment: real ones, but with short leases and a quick sweep."""

import asyncio
import logging
import multiprocessing
import os
import signal
import time
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from spillway.adapters.gateway_door import GatewayDoor
from spillway.adapters.local_queue import LocalQueue
from spillway.assembly.inside import Inside, inside
from spillway.assembly.jobs import JobSide, job_side
from spillway.assembly.stopping import at_sigterm
from spillway.assembly.worker import work_side
from spillway.services.reminding import remind
from spillway.services.wakes import Wakes
from spillway.settings import Settings

LEASE_S, RENEW_S = 2.0, 0.5
LOOK_EVERY_S = 0.2

TESTS = Path(__file__).parents[1]

_processes = multiprocessing.get_context("forkserver")


def prepare() -> None:
    """A process to fork from that has all modules already: a worker then begins at once, as one in the cloud does."""
    _processes.set_forkserver_preload(["support.crash_worker"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(TESTS)  # The only way in which it can be told where the modules are.
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def start(settings: dict[str, Any], gateway: str | None, log: Path, env: dict[str, str] | None = None) -> BaseProcess:
    """A worker that works until it is killed, or asked to stop. It writes its log into a file."""
    process = _processes.Process(target=_main, args=(settings, gateway, log, env or {}), daemon=True)
    process.start()
    return process


def sides(settings: dict[str, Any]) -> tuple[Inside, JobSide]:
    """What a process has: the inside, and the side of jobs."""
    own = inside(Settings(**settings))
    return own, job_side(own)


def _main(settings: dict[str, Any], gateway: str | None, log: Path, env: dict[str, str]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.environ.update(env)
    logging.basicConfig(filename=log, level=logging.WARNING, format="%(message)s", force=True)
    asyncio.run(_work(settings, gateway))


async def _work(settings: dict[str, Any], gateway: str | None) -> None:
    own, side = sides(settings)
    assert isinstance(side.queue, LocalQueue)
    door = GatewayDoor(own.pool, base_url=gateway, key=settings["internal_key"]) if gateway else None
    work = work_side(own, side, door, Wakes(), lease_s=LEASE_S, renew_s=RENEW_S)
    stopped = asyncio.Event()
    with at_sigterm(stopped.set):
        telling = asyncio.create_task(_tell(side, side.queue))
        running = asyncio.create_task(side.queue.run(work.worker.work))
        await stopped.wait()
        telling.cancel()
        await work.worker.stop()
        running.cancel()
        await asyncio.wait([running, telling])
    await side.close()
    await own.close()


async def _tell(side: JobSide, queue: LocalQueue) -> None:
    while True:
        await remind(side.jobs, queue, epoch=time.time, limit=100)
        await asyncio.sleep(LOOK_EVERY_S)
