"""Takes a lane's first job for a worker, beside others that want the same."""

from random import Random

from spillway.domain.job_steps import claimed
from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.ports import Clock
from spillway.ports.jobs import Jobs

ROUNDS = 8
CROWD = 16
"""Among so many first jobs workers that have met choose by chance; so each meets few others again."""


class Claims:
    """What one worker, named `holder`, takes up; each job for `lease_s` unless it is renewed."""

    def __init__(self, jobs: Jobs, holder: str, *, lease_s: float, epoch: Clock, chance: Random):
        self._jobs, self._holder, self._lease_s = jobs, holder, lease_s
        self._epoch, self._chance = epoch, chance

    async def take(self, lane: str) -> Job | None:
        """The lane's first job, now held; None where there is none to take.

        Raises Conflict where others were faster each time, and StoreUnavailable; the job may then be held all the
        same, until its lease ends.
        """
        limit = 1
        for _ in range(ROUNDS):
            found = await self._jobs.claimable(lane, self._epoch(), limit)
            if not found:
                return None
            self._chance.shuffle(found)
            for job in found[:2]:
                if (held := await self._take(job)) is not None:
                    return held
            limit = CROWD
        raise Conflict(f"other workers take the jobs of {lane} faster")

    def holds(self, job: Job) -> bool:
        """Whether this worker has it."""
        return job.lease is not None and job.lease.holder == self._holder

    async def _take(self, job: Job) -> Job | None:
        held = claimed(job, self._holder, self._epoch(), self._lease_s)
        try:
            await self._jobs.save(held)
        except Conflict:
            return None
        return held
