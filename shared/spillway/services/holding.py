"""A job in a worker's hand: its lease is renewed, and each step is stored over whatever the job has become meanwhile.

Others write a job while it is held: its caller cancels it, a webhook tells an id. A write that got no answer may have
been made. So a step that meets a conflict looks at what is stored: the step itself, a job that is still ours and takes
the step anew, or one that isn't ours any more.
"""

import asyncio
from collections.abc import Callable

from spillway.domain.job_steps import found, renewed
from spillway.domain.jobs import Job
from spillway.errors import Conflict, JobOver, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Jobs
from spillway.services.starts import learned, wanted

LEASE_S, RENEW_S = 30.0, 10.0
RETRY_S = 0.5
TAKEN_UP_S = 5.0
"""Within this a job that is due is taken up where there is a hand for it."""
TELL_PART = 0.1
"""Progress that is worth a write of its own."""

Step = Callable[[Job], Job]


class Hold:
    """One job, as long as this worker has it. `epoch` is the clock that processes share."""

    def __init__(
        self,
        jobs: Jobs,
        job: Job,
        *,
        epoch: Clock,
        lease_s: float = LEASE_S,
        renew_s: float = RENEW_S,
        retry_s: float = RETRY_S,
    ):
        assert job.lease is not None  # noqa: S101 (only claimed jobs are held)
        self.job = job
        self.epoch = epoch
        self._jobs, self._lease_s, self._renew_s, self._retry_s = jobs, lease_s, renew_s, retry_s
        self._holder, self._until = job.lease.holder, job.lease.until
        self._lock = asyncio.Lock()
        self._progress: float | None = None
        self.canceled = False
        """Whether a renewal has found out that the job ended otherwise: its run is about to be stopped."""

    async def step(self, make: Step) -> Job:
        """Take a step and store it. Raises JobOver where the job has ended, Conflict where it is another worker's, and
        StoreUnavailable where the store gave no answer for as long as the lease lasts.
        """
        async with self._lock:
            while True:
                wanted = make(self.job)
                if wanted is self.job or await self._stored(wanted):
                    return self.job

    async def _stored(self, wanted: Job) -> bool:
        """Whether the step is taken; False where it is to be made anew, of what the job has become."""
        while True:
            try:
                await self._jobs.save(wanted)
            except Conflict:
                return await self._caught_up(wanted)
            except StoreUnavailable:
                await self._try_later()
            else:
                self._hold(wanted)
                return True

    async def _caught_up(self, wanted: Job) -> bool:
        found = await self._found()
        if _arrived(self.job, wanted, found):
            self._hold(found)
            return True
        self._check_ours(found)
        self._hold(found)
        return False

    async def _found(self) -> Job:
        while True:
            try:
                found = await self._jobs.find(self.job.id)
            except StoreUnavailable:
                await self._try_later()
                continue
            if found is None:
                raise JobOver(f"job {self.job.id} is there no more")
            return found

    async def _try_later(self) -> None:
        if self.epoch() + self._retry_s >= self._until:
            raise StoreUnavailable(f"the lease of job {self.job.id} ends before the store answers")
        await asyncio.sleep(self._retry_s)

    def _check_ours(self, found: Job) -> None:
        if found.over:
            raise JobOver(f"job {found.id} has {found.status}")
        if found.lease is None or found.lease.holder != self._holder:
            raise Conflict(f"job {found.id} is in another worker's hand")

    def _hold(self, job: Job) -> None:
        self.job = job
        if job.lease:
            self._until = job.lease.until

    async def refresh(self) -> Job:
        """The job as it is stored. Raises as `step` does."""
        async with self._lock:
            found = await self._found()
            self._check_ours(found)
            self._hold(found)
            return found

    async def leave(self, ids: tuple[str, ...]) -> bool:
        """Whether whoever has the job by now goes on with what was started here, of which these are the ids.

        Raises Conflict and StoreUnavailable.
        """
        run = self.job.the_hosted.run
        job = await learned(self._jobs, self.job.id, run, lambda job: found(job, ids))
        return job is not None and not job.over and all(wanted(job, run, one) for one in ids)

    async def others_wait(self) -> bool:
        """Whether the lane's first job has been due for so long that no worker can have a hand for it.

        Raises StoreUnavailable.
        """
        now = self.epoch()
        return any(now - _due_since(first) > TAKEN_UP_S for first in await self._jobs.claimable(self.job.lane, now))

    async def tell(self, progress: float | None) -> None:
        """How far a provider says it is: written at once where it has moved much, else with the next renewal."""
        if progress is None or progress <= (self._progress or 0.0):
            return
        self._progress = progress
        known = self.job.hosted.progress if self.job.hosted else None
        if progress - (known or 0.0) >= TELL_PART:
            await self.step(self._renewed)

    async def keep(self) -> None:
        """Renew the lease again and again. Ends only by what `step` raises: then the job is not ours any more."""
        while True:
            await asyncio.sleep(self._renew_s)
            try:
                await self.step(self._renewed)
            except JobOver:
                self.canceled = True
                raise

    def _renewed(self, job: Job) -> Job:
        return renewed(job, self.epoch(), self._lease_s, progress=self._progress)


def _due_since(job: Job) -> float:
    return max(job.due or 0.0, job.changes[-1].at)


def _arrived(before: Job, wanted: Job, found: Job) -> bool:
    """Whether a step of which it wasn't known is in what is stored."""
    if len(wanted.changes) > len(before.changes):
        return found.changes[: len(wanted.changes)] == wanted.changes
    began = wanted.hosted is not None and (before.hosted is None or before.hosted.run != wanted.hosted.run)
    return found == wanted or (began and found.hosted is not None and found.hosted.run == wanted.hosted.run)  # type: ignore[union-attr]
