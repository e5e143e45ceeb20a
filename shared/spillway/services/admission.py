"""Whether one more job is let into its lane: a queue that only grows helps nobody."""

import asyncio
from collections.abc import AsyncIterator, Container, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from spillway.domain import estimates
from spillway.domain.estimates import LanePace
from spillway.domain.jobs import Job
from spillway.domain.requests import Prefer
from spillway.domain.routes import Route
from spillway.errors import QueueFull
from spillway.ports import Clock
from spillway.ports.jobs import Crowd, Jobs
from spillway.services.job_views import PaceOf

LONGEST_RETRY_S = 3600.0


@dataclass(slots=True, weakref_slot=True)
class _Entry:
    """A lane's: how many jobs are let in and not stored yet, and the lock of those for whom it may be too many."""

    entering: int = 0
    doubtful: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextmanager
    def passed(self) -> Iterator[int]:
        """How many others are about to be stored while one more goes through."""
        self.entering += 1
        try:
            yield self.entering - 1
        finally:
            self.entering -= 1


class Admission:
    """Holds lanes to their routes' bounds. `providers` are the hosted ones that can be used."""

    def __init__(self, jobs: Jobs, pace_of: PaceOf, providers: Container[str], *, epoch: Clock):
        self._jobs, self._pace_of, self._providers, self._epoch = jobs, pace_of, providers, epoch
        self._entries: WeakValueDictionary[str, _Entry] = WeakValueDictionary()

    @asynccontextmanager
    async def entry(self, job: Job, route: Route) -> AsyncIterator[None]:
        """To be entered while a job is stored: those who come side by side don't see each other in the store yet.

        Some of them may be counted there as well. Whom that would shut out waits for a look of its own. Raises
        QueueFull, which says when there is room again at the pace of late, and StoreUnavailable.
        """
        entry = self._entries.setdefault(job.lane, _Entry())
        with entry.passed() as others:
            if await self._has_room(job, route, others):
                yield
                return
        async with entry.doubtful:
            with entry.passed() as others:
                await self._check(job, route, others)
                yield

    async def _has_room(self, job: Job, route: Route, others: int) -> bool:
        """False where that depends on the others. Raises QueueFull where it does not."""
        crowd, pace = await self._jobs.crowd(job.lane), await self._pace_of(job.lane)
        try:
            self._judge(job, route, crowd, pace, others)
        except QueueFull:
            self._judge(job, route, crowd, pace, 0)
            return False
        return True

    async def _check(self, job: Job, route: Route, others: int) -> None:
        self._judge(job, route, await self._jobs.crowd(job.lane), await self._pace_of(job.lane), others)

    def _judge(self, job: Job, route: Route, crowd: Crowd, pace: LanePace, others: int) -> None:
        """Raises QueueFull. How much is too much is said of those alone that are in for sure."""
        if crowd.queued + others >= route.queue_jobs:
            queued = max(crowd.queued, route.queue_jobs)
            too_many = queued - route.queue_jobs + 1
            raise _full(f"{queued} jobs wait for {job.lane}", too_many / pace.rate(self._epoch(), crowd.running))
        if self._wait_s(job, route, crowd, pace, others) > route.queue_seconds:
            wait_s = max(self._wait_s(job, route, crowd, pace, 0), route.queue_seconds)
            raise _full(f"{wait_s:.0f} s of work wait for {job.lane}", wait_s - route.queue_seconds)

    def _wait_s(self, job: Job, route: Route, crowd: Crowd, pace: LanePace, others: int) -> float:
        now = self._epoch()
        wait_s = estimates.backlog_s(pace, queued=crowd.queued + others, running=crowd.running, now=now)
        if not self.may_fall_back(job.prefer, route):
            return wait_s
        return min(wait_s, max(0.0, job.queue_until - now) + pace.hosted_s())

    def may_fall_back(self, prefer: Prefer, route: Route) -> bool:
        """Whether hosted inference takes a job when its time in the queue is up."""
        return prefer != "subnet-only" and any(one.provider in self._providers for one in route.fallbacks)


def _full(what: str, retry_after_s: float) -> QueueFull:
    return QueueFull(f"{what}: come back later", retry_after_s=min(max(1.0, retry_after_s), LONGEST_RETRY_S))
