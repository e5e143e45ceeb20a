"""What was started at a provider belongs to one start of a job, by its number: whoever hears of ids stores them there.

That may be the worker that started it, though the job is another's by now, or a webhook.
"""

from collections.abc import Callable

from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.ports.jobs import Jobs

MOST_TRIES = 20


async def learned(jobs: Jobs, job_id: str, run: int, learn: Callable[[Job], Job]) -> Job | None:
    """The job, which has learned of this start by now unless it has ended, or was started anew since.

    None where there is none. Raises Conflict and StoreUnavailable.
    """
    for _ in range(MOST_TRIES):
        job = await jobs.find(job_id)
        if job is None or job.over or job.hosted is None or job.hosted.run != run:
            return job
        known = learn(job)
        try:
            if known is not job:
                await jobs.save(known)
        except Conflict:
            continue
        return known
    raise Conflict(f"job {job_id} changes all the time")


def wanted(job: Job, run: int, prediction_id: str) -> bool:
    """Whether a prediction is one that the job goes by, or has gone by; any other is one too many."""
    return job.hosted is not None and job.hosted.run == run and prediction_id in job.hosted.known
