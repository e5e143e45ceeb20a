"""Puts together what runs jobs: beside the front door in one process, or alone in the function `worker`."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from spillway.adapters.local_queue import LocalQueue
from spillway.assembly.inside import Inside
from spillway.assembly.jobs import JobSide
from spillway.assembly.stopping import at_sigterm
from spillway.domain.callers import Caller
from spillway.domain.jobs import Job
from spillway.edge import hooks
from spillway.edge.stored import stored_request
from spillway.errors import Overloaded, StoreUnavailable
from spillway.ports.running import SubnetDoor
from spillway.services.claiming import Claims
from spillway.services.course import Means
from spillway.services.holding import LEASE_S
from spillway.services.reminding import remind
from spillway.services.retention import Retention, Terms
from spillway.services.running import Running
from spillway.services.sweeping import Sweeping
from spillway.services.wakes import Wakes
from spillway.services.workers import Desk, Worker

SWEEP_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class WorkSide:
    """A worker, and the sweep that finds what was forgotten."""

    worker: Worker
    sweeping: Sweeping

    async def beside(self, queue: LocalQueue) -> None:
        """Work and sweep for as long as the front door of this process is open."""
        async with asyncio.TaskGroup() as tasks:
            with at_sigterm(lambda: stopping.append(tasks.create_task(self.worker.stop()))):
                stopping: list[asyncio.Task[None]] = []
                tasks.create_task(queue.run(self.worker.work))
                while True:
                    await self.sweeping.sweep()
                    await asyncio.sleep(SWEEP_EVERY_S)


def work_side(own: Inside, side: JobSide, door: SubnetDoor | None, wakes: Wakes) -> WorkSide:
    """`door` is None where there is no subnet. Nothing is connected yet."""
    settings = own.settings
    running = Running(
        Means(
            backends=own.backends,
            door=door,
            predictions=own.predictions,
            keeper=own.keeper,
            files=side.files,
            paces=side.paces,
            wakes=wakes,
            read=stored_request,
            caller=_callers(own),
            hook=_hook_address(own),
        )
    )
    # A process that is forked after the start must not have its parent's name: it is drawn when the worker is made.
    claims = Claims(side.jobs, uuid.uuid4().hex, lease_s=LEASE_S, epoch=time.time, chance=Random())
    desk = Desk(side.jobs, side.queue, side.files, side.deliveries, claims)
    terms = Terms(settings.keep_inputs_s, settings.keep_results_s)
    retention = Retention(side.jobs, side.files, own.artifacts, terms, epoch=time.time)
    sweeping = Sweeping(
        {
            "jobs": partial(remind, side.jobs, side.queue, epoch=time.time),
            "webhooks": side.deliveries.sweep,
            "retention": retention.sweep,
            "idempotency": side.idempotency.sweep,
        }
    )
    return WorkSide(Worker(desk, running, epoch=time.time), sweeping)


def stop_hosted(own: Inside) -> Callable[[Job], Awaitable[None]]:
    """Ends what runs at a provider for a job that was canceled."""

    async def stop(job: Job) -> None:
        if job.hosted and job.hosted.ids and job.hosted.provider in own.predictions:
            await own.predictions[job.hosted.provider].cancel(job.hosted.ids)

    return stop


def _hook_address(own: Inside) -> Callable[[Job, int], str | None]:
    """Where Replicate reports to. It does so over TLS only, and nothing that isn't signed is heard here."""
    settings = own.settings

    def address(job: Job, run: int) -> str | None:
        base = settings.public_url or job.public_url
        reachable = base.startswith("https://") or settings.allow_private_urls
        if settings.replicate_webhook_secret is None or not reachable:
            return None
        return f"{base}{hooks.PATH}?job={job.id}&run={run}"

    return address


def _callers(own: Inside) -> Callable[[str], Awaitable[Caller]]:
    """A job's caller with its limits, as they are now."""

    async def caller(caller_id: str) -> Caller:
        if own.settings.auth != "keys":
            return Caller(caller_id)
        try:
            return await own.keyring.known(caller_id) or Caller(caller_id)
        except Overloaded as error:
            raise StoreUnavailable("keys can't be read just now") from error

    return caller
