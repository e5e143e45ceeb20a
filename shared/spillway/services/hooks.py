"""What a hosted provider reports on a job: ids that nobody had stored yet, and that it is time to look."""

import logging
from collections import OrderedDict

from spillway.domain.job_steps import found
from spillway.domain.jobs import Job
from spillway.errors import Conflict, JobOver, QueueUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Jobs, Queue
from spillway.services.wakes import Wakes

log = logging.getLogger("spillway")

MOST_TRIES = 20
REMEMBERED = 10_000


class Hooks:
    """Takes reports in. They may come twice, late, in any order and to any process: none of that changes a job."""

    def __init__(self, jobs: Jobs, queue: Queue, wakes: Wakes, *, epoch: Clock):
        self._jobs, self._queue, self._wakes, self._epoch = jobs, queue, wakes, epoch
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def told(self, message_id: str, job_id: str, run: int, prediction_id: str, *, over: bool) -> None:
        """One report, of a start or of an end. Raises StoreUnavailable: then it is to be sent again."""
        if message_id in self._seen:
            return
        job = await self._with_ids(job_id, run, prediction_id)
        if job is not None:
            self._wakes.wake(job_id)
            if over and job.claimable(self._epoch()):
                await self._tell(job)
        self._remember(message_id)

    async def _with_ids(self, job_id: str, run: int, prediction_id: str) -> Job | None:
        """The job that is meant, which knows its id now; None for one that has ended or was started anew since."""
        for _ in range(MOST_TRIES):
            job = await self._jobs.find(job_id)
            if job is None or job.over or job.hosted is None or job.hosted.run != run:
                return None
            if job.hosted.ids or job.hosted.parts > 1:
                return job
            try:
                known = found(job, (prediction_id,))
                await self._jobs.save(known)
            except (Conflict, JobOver):
                continue
            return known
        raise Conflict(f"job {job_id} changes all the time")

    async def _tell(self, job: Job) -> None:
        """Nobody holds it: whoever takes it up finds the result."""
        try:
            await self._queue.tell(job.lane, job.id)
        except QueueUnavailable as error:
            log.warning("job %s waits for the next sweep: %s", job.id, error)

    def _remember(self, message_id: str) -> None:
        self._seen[message_id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
