"""Where jobs are kept, how workers hear of them, and where their inputs and results lie."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from spillway.domain.jobs import Job


@dataclass(frozen=True, slots=True)
class Crowd:
    """A lane as it is now. `queued` jobs wait for a backend, `running` ones have one."""

    queued: int
    running: int


class Jobs(Protocol):
    """Jobs by id. Every call ends within the adapter's time limit and raises StoreUnavailable where it can't be made;
    a write may then have been made all the same.
    """

    async def add(self, job: Job) -> Job:
        """Keep a new job, durably, with the rank that is its caller's turn in its lane. Raises Conflict.

        The rank is domain.fairness.rank over the jobs of the lane that haven't ended. The lane's head is the first that
        is queued, in a worker's hand or not; where that is put off, the first that a worker may take up; and where
        there is none, the first of all.
        """
        ...

    async def find(self, job_id: str) -> Job | None:
        """The latest revision."""
        ...

    async def find_many(self, job_ids: Collection[str]) -> list[Job]:
        """Those of them that there are, in no order."""
        ...

    async def save(self, job: Job) -> None:
        """Write over the revision before `job.revision`, and no other. Raises Conflict."""
        ...

    async def claimable(self, lane: str, now: float, limit: int = 1) -> list[Job]:
        """The lane's first jobs by (rank, created_at, id) that a worker may take up now (Job.claimable)."""
        ...

    async def ahead(self, job: Job) -> int:
        """How many queued jobs of its lane stand before it; 0 for the first."""
        ...

    async def crowd(self, lane: str) -> Crowd:
        """How many stand in a lane."""
        ...

    async def waiting(self, now: float, limit: int = 1000) -> list[Job]:
        """Claimable jobs of all lanes, the longest due first: what a sweep tells workers of again."""
        ...

    async def unsent(self, now: float, limit: int = 100) -> list[Job]:
        """Finished jobs whose webhook is due, the longest due first."""
        ...

    async def changed_since(self, at: float, limit: int = 1000) -> list[tuple[str, int, float]]:
        """(id, sequence, at) of jobs whose last change is not older than `at`, the oldest first."""
        ...

    async def finished_before(self, at: float, limit: int = 500) -> list[Job]:
        """Jobs that ended before `at`, the oldest first: what retention removes."""
        ...

    async def remove(self, job_id: str) -> None:
        """Forget a job, where there is one."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...


class Queue(Protocol):
    """Tells workers that there is work in a lane. At least once, in no order: a word lost is said again by a sweep,
    one too many finds nothing to do.
    """

    async def tell(self, lane: str, job_id: str) -> None:
        """One job is due in a lane. Raises QueueUnavailable where the word may not have gone out."""
        ...

    async def dead(self, job: Job) -> None:
        """A job has failed for good after failures of its own: for the dead-letter topic. Raises QueueUnavailable."""
        ...

    async def close(self) -> None:
        """Send what is still to be sent."""
        ...


class Files(Protocol):
    """Inputs and results of jobs, private, by names that the house makes (domain.file_names; ValueError for others).

    Every call raises StoreUnavailable where it can't be made.
    """

    async def write(self, name: str, content: BinaryIO) -> None:
        """Keep what the reader holds from its first byte, in place of what was there; durable when it returns."""
        ...

    async def read(self, name: str) -> BinaryIO | None:
        """All of it, from its first byte; None where there is none. The caller closes it."""
        ...

    async def remove(self, name: str) -> None:
        """Forget it, where there is one."""
        ...

    async def old(self, folder: str, before: float, limit: int = 1000) -> list[str]:
        """Names of files of a folder that were written before then (epoch seconds), in no order."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
