"""A store of jobs whose replies a test loses: the write was made, or it was not, and nobody is told which."""

from random import Random

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain.jobs import Job
from spillway.errors import StoreUnavailable


class UnsureJobs(MemoryJobs):
    """Jobs in memory. Of all writes `lost` are not made and `unheard` are made, and both raise StoreUnavailable."""

    def __init__(self, chance: Random, *, lost: float = 0.0, unheard: float = 0.0):
        super().__init__()
        self._chance, self._lost, self._unheard = chance, lost, unheard

    async def save(self, job: Job) -> None:
        """As the port has it, or not."""
        drawn = self._chance.random()
        if drawn < self._lost:
            raise StoreUnavailable("the write is lost")
        await super().save(job)
        if drawn < self._lost + self._unheard:
            raise StoreUnavailable("the reply is lost")

    async def find(self, job_id: str) -> Job | None:
        """As the port has it, or not at all."""
        if self._chance.random() < self._lost:
            raise StoreUnavailable("the question is lost")
        return await super().find(job_id)
