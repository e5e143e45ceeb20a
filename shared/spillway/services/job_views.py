"""Shows jobs to their callers: what is stored, how far they are, and the results in their files."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import from_json

from spillway.domain import estimates
from spillway.domain.estimates import LanePace
from spillway.domain.job_views import DONE, NOT_TOLD, Outlook, as_of, view
from spillway.domain.jobs import Job
from spillway.ports import Clock
from spillway.ports.jobs import Crowd, Files, Jobs

PaceOf = Callable[[str], Awaitable[LanePace]]
"""How long a lane's jobs took of late."""

CROWDS_KEPT_S = 2.0
CROWDS_KEPT = 256


class JobViews:
    """Jobs as callers see them. `epoch` is the clock that processes share."""

    def __init__(self, jobs: Jobs, files: Files, pace_of: PaceOf, *, epoch: Clock):
        self._jobs, self._files, self._pace_of, self._epoch = jobs, files, pace_of, epoch
        self._crowds: dict[str, tuple[float, Crowd]] = {}

    async def now(self, job: Job) -> dict[str, Any]:
        """The job as it is. Raises StoreUnavailable."""
        return view(job, await self.outlook(job), await self._result(job))

    async def change(self, job: Job, sequence: int) -> dict[str, Any]:
        """The job as one of its changes left it, always the same. Raises StoreUnavailable."""
        then = as_of(job, sequence)
        return view(then, DONE if then.status == "succeeded" else NOT_TOLD, await self._result(then))

    async def outlook(self, job: Job) -> Outlook:
        """How far it is. Raises StoreUnavailable."""
        if job.over:
            return DONE if job.status == "succeeded" else NOT_TOLD
        pace = await self._pace_of(job.lane)
        return self._running(job, pace) if job.status == "running" else await self._queued(job, pace)

    async def _queued(self, job: Job, pace: LanePace) -> Outlook:
        ahead, running = await self._jobs.ahead(job), (await self._crowd(job.lane)).running
        now = self._epoch()
        left_s = estimates.queued_s(pace, ahead=ahead, running=running, now=now, queue_until=job.queue_until)
        return Outlook(progress=0.0, queue_position=ahead + 1, eta_seconds=max(left_s, job.not_before - now))

    def _running(self, job: Job, pace: LanePace) -> Outlook:
        elapsed_s = self._epoch() - (job.started_at or job.created_at)
        told = job.hosted.progress if job.hosted else None
        return Outlook(
            progress=estimates.progress(pace, job.served_by, elapsed_s, told),
            eta_seconds=max(0.0, estimates.running_s(pace, job.served_by, elapsed_s, told)),
        )

    async def _crowd(self, lane: str) -> Crowd:
        """A lane's crowd, some moments old: many ask for the same."""
        looked_at, crowd = self._crowds.get(lane, (float("-inf"), Crowd(0, 0)))
        if not 0 <= self._epoch() - looked_at < CROWDS_KEPT_S:
            crowd = await self._jobs.crowd(lane)
            self._crowds.pop(lane, None)
            self._crowds[lane] = (self._epoch(), crowd)
            while len(self._crowds) > CROWDS_KEPT:
                del self._crowds[next(iter(self._crowds))]
        return crowd

    async def _result(self, job: Job) -> dict[str, Any] | None:
        """None where there is none, or none any more."""
        content = await self._files.read(job.result) if job.result else None
        if content is None:
            return None
        with content:
            result: dict[str, Any] = await asyncio.to_thread(lambda: from_json(content.read()))
        return result
