"""Tells workers again of jobs that are due: a word was lost, a worker has died, or this process has just started."""

from spillway.ports import Clock
from spillway.ports.jobs import Jobs, Queue


async def remind(jobs: Jobs, queue: Queue, *, epoch: Clock, limit: int = 1000) -> int:
    """Tell of each job that a worker may take up now; how many there were. Raises StoreUnavailable, QueueUnavailable.

    Those beyond `limit` are told of when the first ones are done or by a later sweep.
    """
    waiting = await jobs.waiting(epoch(), limit)
    for job in waiting:
        await queue.tell(job.lane, job.id)
    return len(waiting)
