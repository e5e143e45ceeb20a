"""Wakes those who wait for a job to change: at once for changes of this process, within a second for those of others.

However many listen, the store is asked once every `LOOK_EVERY_S`, and only while somebody listens: which jobs have
changed of late, and for those that have a listener here, what they are now. Processes' clocks differ and a write takes
its time, so each look goes back `OVERLAP_S` further than the last one; what is known already wakes nobody. A change
that even this misses is seen within `LOOK_ANEW_S`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, suppress

from spillway.domain.jobs import Job
from spillway.errors import Overloaded, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Crowd, Jobs
from spillway.services.ending import ended

log = logging.getLogger("spillway")

LOOK_EVERY_S = 0.5
OVERLAP_S = 5.0
PAGE = 1000
LOOK_ANEW_S = 15.0
PROGRESS_EVERY_S = 5.0
"""What a provider says of its progress is no change, so running jobs are looked at for it."""
MOST_IN_A_LOOK = 250
COME_BACK_S = 5.0


class Topic:
    """One job that somebody here listens to: the latest that is known of it."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.listeners = 0
        self.looked_at = float("-inf")
        self._news = asyncio.Event()

    def told(self, job: Job, now: float) -> None:
        """Take in what the job is now; an older revision says nothing."""
        self.looked_at = now
        if self.job is None or job.revision > self.job.revision:
            self.job = job
            self._news.set()
            self._news = asyncio.Event()

    async def after(self, revision: int, within_s: float) -> Job:
        """The job once it is past this revision, or as it is when the time is over."""
        assert self.job is not None  # noqa: S101 (`Changes.listen` gives out known jobs only)
        if self.job.revision <= revision:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._news.wait()
        return self.job

    def stale(self, now: float) -> bool:
        """Whether it is time to look at it without being told that it has changed."""
        if self.job is None or self.job.over:
            return False
        every_s = PROGRESS_EVERY_S if self.job.hosted else LOOK_ANEW_S
        return now - self.looked_at >= every_s


class Changes:
    """All topics of this process. `epoch` is the clock that processes share; `most` listeners are let in at once."""

    def __init__(self, jobs: Jobs, *, epoch: Clock, most: int):
        self._jobs, self._epoch, self._most = jobs, epoch, most
        self._topics: dict[str, Topic] = {}
        self._looked_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.listeners = 0

    def told(self, job: Job) -> None:
        """This process has written a job."""
        if topic := self._topics.get(job.id):
            topic.told(job, self._epoch())

    @asynccontextmanager
    async def listen(self, job_id: str) -> AsyncIterator[Topic | None]:
        """Listen to a job; None where there is none. Raises Overloaded and StoreUnavailable."""
        if self.listeners >= self._most:
            raise Overloaded("too many listen to jobs here: ask again shortly", retry_after_s=COME_BACK_S)
        topic = self._enter(job_id)
        try:
            # The first look comes after the topic is there: a change in between is not missed.
            if topic.job is None and (found := await self._jobs.find(job_id)):
                topic.told(found, self._epoch())
            yield topic if topic.job else None
        finally:
            self._leave(job_id, topic)

    def _enter(self, job_id: str) -> Topic:
        topic = self._topics.setdefault(job_id, Topic())
        topic.listeners += 1
        self.listeners += 1
        if self._task is None or self._task.done():
            self._looked_at = self._epoch()
            self._task = asyncio.get_running_loop().create_task(self._follow())
        return topic

    def _leave(self, job_id: str, topic: Topic) -> None:
        topic.listeners -= 1
        self.listeners -= 1
        if not topic.listeners:
            self._topics.pop(job_id, None)

    async def close(self) -> None:
        """Look no more."""
        await ended(self._task)

    async def _follow(self) -> None:
        away = False
        while self._topics:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._look()
                away = False
            except StoreUnavailable as error:
                if not away:
                    log.warning("changes of jobs by other processes are not seen now: %s", error)
                away = True

    async def _look(self) -> None:
        now = self._epoch()
        changed = await self._changed_ids(self._looked_at - OVERLAP_S)
        stale = {job_id for job_id, topic in self._topics.items() if topic.stale(now)}
        for some in _pages(sorted(changed | stale)):
            for job in await self._jobs.find_many(some):
                self.told(job)
        self._looked_at = now

    async def _changed_ids(self, since: float) -> set[str]:
        """Jobs with a listener here that have changed to what is not known here yet."""
        changed: set[str] = set()
        while True:
            page = await self._jobs.changed_since(since, PAGE)
            changed.update(job_id for job_id, sequence, _ in page if self._is_news(job_id, sequence))
            if len(page) < PAGE or page[-1][2] <= since:
                return changed
            since = page[-1][2]

    def _is_news(self, job_id: str, sequence: int) -> bool:
        topic = self._topics.get(job_id)
        return topic is not None and (topic.job is None or topic.job.sequence < sequence)


def _pages(job_ids: list[str]) -> Iterator[list[str]]:
    return (job_ids[at : at + MOST_IN_A_LOOK] for at in range(0, len(job_ids), MOST_IN_A_LOOK))


class WatchedJobs:
    """A store of jobs whose writes are told to those who listen in this process."""

    def __init__(self, jobs: Jobs, changes: Changes):
        self._jobs, self._changes = jobs, changes

    async def add(self, job: Job) -> Job:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.add(job)

    async def find(self, job_id: str) -> Job | None:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.find(job_id)

    async def find_many(self, job_ids: Collection[str]) -> list[Job]:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.find_many(job_ids)

    async def save(self, job: Job) -> None:
        """As ports.jobs.Jobs has it; then those who listen are woken."""
        await self._jobs.save(job)
        self._changes.told(job)

    async def claimable(self, lane: str, now: float, limit: int = 1) -> list[Job]:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.claimable(lane, now, limit)

    async def ahead(self, job: Job) -> int:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.ahead(job)

    async def crowd(self, lane: str) -> Crowd:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.crowd(lane)

    async def waiting(self, now: float, limit: int = 1000) -> list[Job]:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.waiting(now, limit)

    async def unsent(self, now: float, limit: int = 100) -> list[Job]:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.unsent(now, limit)

    async def changed_since(self, at: float, limit: int = 1000) -> list[tuple[str, int, float]]:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.changed_since(at, limit)

    async def finished_before(self, at: float, limit: int = 500) -> list[Job]:
        """As ports.jobs.Jobs has it."""
        return await self._jobs.finished_before(at, limit)

    async def remove(self, job_id: str) -> None:
        """As ports.jobs.Jobs has it."""
        await self._jobs.remove(job_id)

    async def close(self) -> None:
        """Close the store underneath."""
        await self._jobs.close()
