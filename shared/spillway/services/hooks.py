"""What a hosted provider reports on a job: ids that nobody had stored yet, and that it is time to look."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from spillway.domain.job_steps import told
from spillway.domain.jobs import Job
from spillway.errors import QueueUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Jobs, Queue
from spillway.services.starts import learned, wanted
from spillway.services.wakes import Wakes

log = logging.getLogger("spillway")

REMEMBERED = 10_000

Stop = Callable[[str], Awaitable[None]]
"""Ends a prediction by its id. Never raises."""


class Hooks:
    """Takes reports in. They may come twice, late, in any order and to any process: none of that changes a job."""

    def __init__(self, jobs: Jobs, queue: Queue, wakes: Wakes, *, stop: Stop, epoch: Clock):
        self._jobs, self._queue, self._wakes, self._stop, self._epoch = jobs, queue, wakes, stop, epoch
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def told(
        self, message_id: str, job_id: str, run: int, prediction_id: str, *, part: int = 0, over: bool
    ) -> None:
        """One report, of a start or of an end. Raises StoreUnavailable: then it is to be sent again."""
        if message_id in self._seen:
            return
        job = await learned(self._jobs, job_id, run, lambda job: told(job, part, prediction_id))
        if job is not None and not wanted(job, run, prediction_id):
            await self._one_too_many(job, prediction_id, over=over)
        elif job is not None and not job.over:
            self._wakes.wake(job_id)
            if over and job.claimable(self._epoch()):
                await self._tell(job)
        self._remember(message_id)

    async def _one_too_many(self, job: Job, prediction_id: str, *, over: bool) -> None:
        """Nobody knew of it when the job was started anew or ended, and nobody will look for it."""
        if not over:
            log.info("what was started for job %s before is ended: it goes by another start, or is over", job.id)
            await self._stop(prediction_id)

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
