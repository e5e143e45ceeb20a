"""What was started at a provider belongs to one start of a job, by its number: whoever hears of ids stores them there.

That may be the worker that started it, though the job is another's by now, or a webhook.
"""

from spillway.domain.job_steps import found
from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.ports.jobs import Jobs

MOST_TRIES = 20


async def with_ids(jobs: Jobs, job_id: str, run: int, ids: tuple[str, ...]) -> Job | None:
    """The job, which knows ids of this start now unless it has ended, or was started anew since; None if there is none.

    Ids that were told first are kept, and one of several is not taken for all. Raises Conflict and StoreUnavailable.
    """
    for _ in range(MOST_TRIES):
        job = await jobs.find(job_id)
        if job is None or job.over or job.hosted is None or job.hosted.run != run:
            return job
        if job.hosted.ids or job.hosted.parts > len(ids):
            return job
        known = found(job, ids)
        try:
            await jobs.save(known)
        except Conflict:
            continue
        return known
    raise Conflict(f"job {job_id} changes all the time")


def wanted(job: Job, run: int, prediction_id: str) -> bool:
    """Whether a prediction is the one that the job goes by, or has gone by; any other is one too many."""
    hosted = job.hosted
    return hosted is not None and hosted.run == run and (prediction_id in hosted.ids or hosted.parts > 1)
