"""Whether one more job is let into its lane: a queue that only grows helps nobody."""

from collections.abc import Container

from spillway.domain import estimates
from spillway.domain.jobs import Job
from spillway.domain.requests import Prefer
from spillway.domain.routes import Route
from spillway.errors import QueueFull
from spillway.ports import Clock
from spillway.ports.jobs import Jobs
from spillway.services.job_views import PaceOf

LONGEST_RETRY_S = 3600.0


class Admission:
    """Holds lanes to their routes' bounds. `providers` are the hosted ones that can be used."""

    def __init__(self, jobs: Jobs, pace_of: PaceOf, providers: Container[str], *, epoch: Clock):
        self._jobs, self._pace_of, self._providers, self._epoch = jobs, pace_of, providers, epoch

    async def check(self, job: Job, route: Route) -> None:
        """Raises QueueFull, which says when there is room again at the pace of late, and StoreUnavailable."""
        crowd, pace = await self._jobs.crowd(job.lane), await self._pace_of(job.lane)
        now = self._epoch()
        if crowd.queued >= route.queue_jobs:
            too_many = crowd.queued - route.queue_jobs + 1
            raise _full(f"{crowd.queued} jobs wait for {job.lane}", too_many / pace.rate(now, crowd.running))
        wait_s = estimates.backlog_s(pace, queued=crowd.queued, running=crowd.running, now=now)
        if self.may_fall_back(job.prefer, route):
            wait_s = min(wait_s, max(0.0, job.queue_until - now) + pace.hosted_s())
        if wait_s > route.queue_seconds:
            raise _full(f"{wait_s:.0f} s of work wait for {job.lane}", wait_s - route.queue_seconds)

    def may_fall_back(self, prefer: Prefer, route: Route) -> bool:
        """Whether hosted inference takes a job when its time in the queue is up."""
        return prefer != "subnet-only" and any(one.provider in self._providers for one in route.fallbacks)


def _full(what: str, retry_after_s: float) -> QueueFull:
    return QueueFull(f"{what}: come back later", retry_after_s=min(max(1.0, retry_after_s), LONGEST_RETRY_S))
