"""Where callers hand in jobs, look at them and take them back."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from spillway.domain.callers import Caller
from spillway.domain.job_steps import accepted, canceled
from spillway.domain.jobs import Family, Job, Webhook
from spillway.domain.requests import InferenceRequest, Prefer, Terms
from spillway.domain.routes import Route, Routes
from spillway.errors import BadRequest, Conflict, QueueUnavailable, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Files, Jobs, Queue
from spillway.services.admission import Admission
from spillway.services.webhooks import Deliveries

log = logging.getLogger("spillway")

LIFE_S = 86400.0
"""So long a job may take where its caller gives no deadline: a day's money may have to come first."""
MOST_TRIES = 20

Stop = Callable[[Job], Awaitable[None]]
"""Stops what runs at a hosted provider for a job that was canceled. Never raises."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller hands in: `content` is the request's body as the worker will read it, of `content_type`."""

    request: InferenceRequest
    terms: Terms
    family: Family
    content: BinaryIO
    content_type: str
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where jobs are kept, how workers hear of them, and where their files lie."""

    jobs: Jobs
    queue: Queue
    files: Files


class JobDesk:
    """The desk. `epoch` is the clock that processes share; `stop` is for jobs that run at a hosted provider."""

    def __init__(
        self, routes: Routes, places: Places, admission: Admission, deliveries: Deliveries, *, stop: Stop, epoch: Clock
    ):
        self._routes, self._admission, self._deliveries = routes, admission, deliveries
        self._jobs, self._queue, self._files = places.jobs, places.queue, places.files
        self._stop, self._epoch = stop, epoch

    async def submit(self, order: Order) -> Job:
        """Take a job in: when this returns, it is durable. Raises BadRequest, QueueFull and StoreUnavailable."""
        if order.webhook_url is not None:
            await self._deliveries.check(order.webhook_url)
        route = self._routes.find(order.request.pipeline.name, order.request.model)
        job = self._new(order, route)
        async with self._admission.entry(job, route):
            await self._files.write(job.input, order.content)
            job = await self._add(job)
        try:
            await self._queue.tell(job.lane, job.id)
        except QueueUnavailable as error:
            log.warning("job %s waits for the next sweep: %s", job.id, error)
        return job

    def _new(self, order: Order, route: Route) -> Job:
        now, job_id, terms = self._epoch(), secrets.token_hex(16), order.terms
        expires_at = now + (terms.deadline_s or LIFE_S)
        return accepted(
            Job(
                id=job_id,
                caller=terms.caller.id,
                pipeline=order.request.pipeline.name,
                model=order.request.model,
                lane=route.lane(order.request.model),
                rank=0,
                input=f"inputs/{job_id}",
                content_type=order.content_type,
                created_at=now,
                queue_until=self._queue_until(terms.prefer, route, now, expires_at),
                expires_at=expires_at,
                changes=(),
                family=order.family,
                prefer=terms.prefer,
                priority=terms.priority,
                public_url=terms.public_url,
                webhook=Webhook(order.webhook_url) if order.webhook_url else None,
            )
        )

    def _queue_until(self, prefer: Prefer, route: Route, now: float, expires_at: float) -> float:
        """When it goes to a fallback; who has none waits for as long as the job lives, and its estimate says so."""
        if not self._admission.may_fall_back(prefer, route):
            return expires_at
        return now if prefer in ("fallback", "fallback-only") else now + route.queue_limit_s

    async def _add(self, job: Job) -> Job:
        """Keep it. A write that got no answer may have been made: then the job is there, and it is said so."""
        try:
            return await self._jobs.add(job)
        except StoreUnavailable:
            found = None
            with suppress(StoreUnavailable):
                found = await self._jobs.find(job.id)
            if found is None:
                raise
            return found

    async def find(self, job_id: str, caller: Caller) -> Job:
        """A caller's own job; the operator's keys see all. Raises BadRequest (404) and StoreUnavailable."""
        return self.own(await self._jobs.find(job_id), caller)

    @staticmethod
    def own(job: Job | None, caller: Caller) -> Job:
        """The job, where there is one that this caller may see. Raises BadRequest (404)."""
        if job is None or not (job.caller == caller.id or "admin" in caller.scopes):
            raise BadRequest("there is no such job, or none any more", status=404, code="job_not_found")
        return job

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """End a job as canceled, whoever works on it. Raises BadRequest (404), JobOver and StoreUnavailable."""
        for _ in range(MOST_TRIES):
            job = await self.find(job_id, caller)
            if job.status == "canceled":
                return job
            ended = canceled(job, self._epoch())
            try:
                await self._jobs.save(ended)
            except Conflict:
                await asyncio.sleep(0)
                continue
            await self._clear_up(ended)
            return ended
        raise StoreUnavailable(f"job {job_id} changes all the time")

    async def _clear_up(self, job: Job) -> None:
        self._deliveries.finished(job)
        with suppress(StoreUnavailable):
            await self._files.remove(job.input)
        if job.hosted:
            await self._stop(job)
