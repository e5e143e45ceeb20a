"""Puts together what runs jobs: beside the front door in one process, or alone in the function `worker`."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from random import Random

from starlette.responses import Response

from spillway.adapters.local_queue import LocalQueue
from spillway.assembly.inside import Inside, inside
from spillway.assembly.jobs import JobSide, job_side
from spillway.assembly.stopping import Leaving, at_sigterm
from spillway.domain.callers import Caller
from spillway.domain.jobs import Job
from spillway.edge.access import REPLICATE_HOOK
from spillway.edge.push import Message
from spillway.edge.stored import stored_request
from spillway.edge.work import Work
from spillway.errors import BadSettings, Overloaded, StoreUnavailable
from spillway.ports.jobs import Jobs
from spillway.ports.running import SubnetDoor
from spillway.services.claiming import Claims
from spillway.services.course import Means
from spillway.services.holding import LEASE_S, RENEW_S
from spillway.services.reminding import remind
from spillway.services.retention import Retention, Terms
from spillway.services.running import Running
from spillway.services.sweeping import Sweeping
from spillway.services.wakes import Wakes
from spillway.services.workers import Desk, Worker
from spillway.settings import Settings

log = logging.getLogger("spillway")

SETTLE_S = 8.0
SWEEP_EVERY_S, REMIND_EVERY_S = 60.0, 15.0
"""The second is for jobs of processes that have died, whose leases end at any time."""


@dataclass(frozen=True, slots=True)
class WorkSide:
    """A worker, the sweep that finds what was forgotten, and the part of it that finds jobs."""

    worker: Worker
    sweeping: Sweeping
    reminding: Sweeping

    async def beside(self, queue: LocalQueue) -> None:
        """Work and sweep for as long as the front door of this process is open."""
        async with asyncio.TaskGroup() as tasks:
            with at_sigterm(lambda: tasks.create_task(self.worker.stop())):
                tasks.create_task(queue.run(self.worker.work))
                while True:
                    await self.sweeping.sweep()
                    for _ in range(int(SWEEP_EVERY_S / REMIND_EVERY_S) - 1):
                        await asyncio.sleep(REMIND_EVERY_S)
                        await self.reminding.sweep()
                    await asyncio.sleep(REMIND_EVERY_S)


def work_side(
    own: Inside,
    side: JobSide,
    door: SubnetDoor | None,
    wakes: Wakes,
    *,
    lease_s: float = LEASE_S,
    renew_s: float = RENEW_S,
) -> WorkSide:
    """`door` is None where there is no subnet. Nothing is connected yet."""
    settings = own.settings
    running = Running(
        Means(
            backends=own.backends,
            door=door,
            predictions=own.predictions(),
            keeper=own.keeper,
            files=side.files,
            paces=side.paces,
            wakes=wakes,
            read=stored_request,
            caller=_callers(own),
            hook=_hook_address(own),
        )
    )
    desk = Desk(side.jobs, side.queue, side.files, side.deliveries, cache(partial(_claims, side.jobs, lease_s)))
    terms = Terms(settings.keep_inputs_s, settings.keep_results_s)
    retention = Retention(side.jobs, side.files, own.artifacts, terms, epoch=time.time)
    jobs = {"jobs": partial(remind, side.jobs, side.queue, epoch=time.time)}
    sweeping = Sweeping(
        {
            **jobs,
            "webhooks": side.deliveries.sweep,
            "retention": retention.sweep,
            "idempotency": side.idempotency.sweep,
        }
    )
    worker = Worker(desk, running, epoch=time.time, lease_s=lease_s, renew_s=renew_s)
    return WorkSide(worker, sweeping, Sweeping(jobs))


def _claims(jobs: Jobs, lease_s: float) -> Claims:
    """Made on first use: processes that are forked after the start must not have one name."""
    return Claims(jobs, uuid.uuid4().hex, lease_s=lease_s, epoch=time.time, chance=Random())


class WorkerHouse:
    """The function `worker`: its tries on the subnet go through the gateway, which decides on all of them."""

    def __init__(self, settings: Settings):
        """Nothing is connected yet. Raises BadSettings."""
        _check(settings)
        self._own = inside(settings)
        self._side = job_side(self._own)
        work = work_side(self._own, self._side, _gateway_door(self._own), Wakes())
        self._worker, self._work = work.worker, Work(work.worker, work.sweeping)
        self._leaving = Leaving(self._stop, self._close)

    async def take(self, message: Message) -> Response:
        """As edge.work.Work; the process stays until all that it has in hand is handed back."""
        async with self._leaving:
            response = await self._work.take(message)
            await self._side.deliveries.settle(SETTLE_S)
            return response

    async def _stop(self) -> None:
        await self._worker.stop()
        await self._side.deliveries.close()

    async def _close(self) -> None:
        await self._side.close()
        await self._own.close()


def _check(settings: Settings) -> None:
    if settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: the worker shares its jobs with the front door, which memory:// can't")
    if not settings.queue.startswith("pubsub:"):
        raise BadSettings("SPILLWAY_QUEUE: the worker hears of jobs by Pub/Sub; set pubsub://PROJECT")
    if settings.gateway_url is None:
        log.warning("SPILLWAY_GATEWAY_URL is not set: jobs are done by hosted inference alone")
    elif settings.internal_key is None:
        raise BadSettings("SPILLWAY_INTERNAL_KEY: must be set where SPILLWAY_GATEWAY_URL is, to the gateway's own")


def _gateway_door(own: Inside) -> SubnetDoor | None:
    settings = own.settings
    if settings.gateway_url is None or settings.internal_key is None:
        return None
    from spillway.adapters.gateway_door import GatewayDoor  # noqa: PLC0415 (only where it is used)

    return GatewayDoor(own.pool, base_url=settings.gateway_url, key=settings.internal_key.get_secret_value())


def _hook_address(own: Inside) -> Callable[[Job, int], str | None]:
    """Where Replicate reports to. It does so over TLS only, and nothing that isn't signed is heard here."""
    settings = own.settings

    def address(job: Job, run: int) -> str | None:
        base = settings.public_url or job.public_url
        reachable = base.startswith("https://") or settings.allow_private_urls
        if settings.replicate_webhook_secret is None or not reachable:
            return None
        return f"{base}{REPLICATE_HOOK}?job={job.id}&run={run}"

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
