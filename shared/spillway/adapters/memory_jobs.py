"""Jobs in this process's memory: the twin of the shared stores, for unit tests and for what may be forgotten."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from spillway.domain.fairness import place, rank
from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.ports.jobs import Crowd


class MemoryJobs:
    """Adapter of ports.jobs.Jobs over a dict; gone when the process ends."""

    def __init__(self) -> None:
        self._kept: dict[str, Job] = {}

    async def add(self, job: Job) -> Job:
        """Keep a new job with its rank. Raises Conflict."""
        if job.id in self._kept:
            raise Conflict(f"there is a job {job.id}")
        standing = self._of(job.lane, lambda one: not one.over)
        first = _head(standing, job.created_at)
        own = [one.rank for one in standing if one.caller == job.caller]
        placed = replace(job, rank=rank(first.rank if first else None, own[-1] if own else None))
        self._kept[job.id] = placed
        return placed

    async def find(self, job_id: str) -> Job | None:
        """The latest revision."""
        return self._kept.get(job_id)

    async def find_many(self, job_ids: Collection[str]) -> list[Job]:
        """Those of them that there are."""
        return [self._kept[job_id] for job_id in set(job_ids) if job_id in self._kept]

    async def save(self, job: Job) -> None:
        """Write over the revision before. Raises Conflict."""
        kept = self._kept.get(job.id)
        if kept is None or kept.revision != job.revision - 1:
            raise Conflict(f"job {job.id} was changed meanwhile")
        self._kept[job.id] = job

    async def claimable(self, lane: str, now: float, limit: int = 1) -> list[Job]:
        """The lane's first jobs that a worker may take up now."""
        return self._of(lane, lambda job: job.claimable(now))[:limit]

    async def ahead(self, job: Job) -> int:
        """How many queued jobs of its lane stand before it."""
        mine = place(job)
        return len(self._of(job.lane, lambda one: one.status == "queued" and place(one) < mine))

    async def crowd(self, lane: str) -> Crowd:
        """How many stand in a lane."""
        statuses = [job.status for job in self._of(lane, lambda job: not job.over)]
        return Crowd(statuses.count("queued"), statuses.count("running"))

    async def waiting(self, now: float, limit: int = 1000) -> list[Job]:
        """Claimable jobs of all lanes, the longest due first."""
        return self._until(lambda job: job.due, now)[:limit]

    async def unsent(self, now: float, limit: int = 100) -> list[Job]:
        """Finished jobs whose webhook is due, the longest due first."""
        return self._until(lambda job: job.webhook_at, now)[:limit]

    async def changed_since(self, at: float, limit: int = 1000) -> list[tuple[str, int, float]]:
        """(id, sequence, at) of jobs whose last change is not older, the oldest first."""
        last = ((job.id, job.sequence, job.changes[-1].at) for job in self._kept.values())
        return sorted((one for one in last if one[2] >= at), key=lambda one: one[2])[:limit]

    async def finished_before(self, at: float, limit: int = 500) -> list[Job]:
        """Jobs that ended before `at`, the oldest first."""
        return [job for job in self._until(lambda job: job.finished_at, at) if job.finished_at != at][:limit]

    async def remove(self, job_id: str) -> None:
        """Forget a job."""
        self._kept.pop(job_id, None)

    async def close(self) -> None:
        """Nothing is open."""

    def _of(self, lane: str, fits: Callable[[Job], bool]) -> list[Job]:
        return sorted((job for job in self._kept.values() if job.lane == lane and fits(job)), key=place)

    def _until(self, time_of: Callable[[Job], float | None], now: float) -> list[Job]:
        timed = ((time_of(job), job) for job in self._kept.values())
        come = [(at, job) for at, job in timed if at is not None and at <= now]
        return [job for _, job in sorted(come, key=lambda one: one[0])]


def _head(standing: Sequence[Job], now: float) -> Job | None:
    queued = next((one for one in standing if one.status == "queued"), None)
    if queued and queued.not_before <= now:
        return queued
    return next((one for one in standing if one.claimable(now)), None) or next(iter(standing), None)
