"""The steps of a job's life, in one place: who may take each, and what it leaves behind.

A step gives the next value of a job, which a store keeps only over the revision that it was made from. So two workers
can never both hold a job or both end it. A job that has ended takes no step any more (JobOver), but that its webhook
is posted. Times come in as arguments.
"""

from dataclasses import replace
from typing import Any

from spillway.domain.jobs import Change, Hosted, Job, Lease, Problem, Status
from spillway.errors import JobOver

MOST_FAILURES = 5
"""After as many failures of its own a job has failed; a worker's death is none."""
LONGEST_MESSAGE = 2000
"""Characters of a problem's message that are kept: a backend's own words may be a whole page."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 120.0


def accepted(job: Job) -> Job:
    """A new job, before it is stored for the first time."""
    return replace(job, changes=(Change(1, job.created_at, "queued", "accepted"),))


def claimed(job: Job, holder: str, now: float, lease_s: float) -> Job:
    """A worker takes it up. One that was running has lost its worker: it starts again, or is found again if hosted."""
    _living(job)
    assert job.claimable(now)  # noqa: S101 (stores give claimable jobs only)
    if job.status == "running":
        job = replace(_changed(job, now, "queued", "lost"), deaths=job.deaths + 1)
    return _next(job, lease=Lease(holder, now + lease_s))


def renewed(job: Job, now: float, lease_s: float, *, progress: float | None = None) -> Job:
    """Its worker lives; `progress` is what a provider has told meanwhile."""
    lease = _own(job)
    hosted = job.hosted
    if hosted and progress is not None:
        hosted = replace(hosted, progress=max(progress, hosted.progress or 0.0))
    return _next(job, lease=Lease(lease.holder, now + lease_s), hosted=hosted)


def started(job: Job, now: float, served_by: str) -> Job:
    """A backend works on it from now on; another one than before is a change of its own."""
    _own(job)
    return _next(replace(_changed(job, now, "running", "started", served_by), served_by=served_by, tries=job.tries + 1))


def resumed(job: Job, now: float) -> Job:
    """What was started at a provider is found again, and still under way."""
    _own(job)
    provider = job.the_hosted.provider
    return _next(replace(_changed(job, now, "running", "found-again", provider), served_by=provider))


def starting(job: Job, hosted: Hosted) -> Job:
    """A prediction is about to be created: from now on it is looked for before another one is.

    Its `run` is the revision in which it is stored first, so no two starts of a job have the same.
    """
    _own(job)
    return _next(job, hosted=replace(hosted, run=job.revision + 1), usd=job.usd + hosted.usd)


def found(job: Job, ids: tuple[str, ...]) -> Job:
    """The provider has told the ids, to the worker or by webhook; the first told are kept."""
    _living(job)
    hosted = job.the_hosted
    return job if hosted.ids else _next(job, hosted=replace(hosted, ids=ids, told=()))


def told(job: Job, part: int, prediction_id: str) -> Job:
    """A webhook has told the id of one part of a start; with the last of them all are known."""
    _living(job)
    hosted = job.the_hosted
    places = list(hosted.told or [""] * hosted.parts)
    if hosted.ids or part >= len(places) or places[part]:
        return job
    places[part] = prediction_id
    if all(places):
        return found(job, tuple(places))
    return _next(job, hosted=replace(hosted, told=tuple(places)))


def gone(job: Job, *, refund: bool = False) -> Job:
    """What was started at a provider came to nothing; with `refund` it was never billed."""
    _own(job)
    usd = job.hosted.usd if job.hosted and refund else 0.0
    return _next(job, hosted=None, usd=max(0.0, job.usd - usd))


def handed_back(job: Job, now: float) -> Job:
    """Its worker stops in order; the next one takes it up at once, and finds again what runs at a provider."""
    _own(job)
    back = _changed(job, now, "queued", "handed-back") if job.status == "running" else job
    return _next(back, lease=None, not_before=now)


def put_off(job: Job, now: float, pause_s: float) -> Job:
    """It can't be served for a reason that is not its own (no money left today, a store away): later again."""
    _own(job)
    back = _changed(job, now, "queued", "put-off") if job.status == "running" else job
    return _next(back, lease=None, not_before=now + pause_s)


def failed_once(job: Job, now: float, problem: Problem) -> Job:
    """A failure of its own: it waits and is tried again, or has failed for good."""
    _own(job)
    failures = job.failures + 1
    if failures >= MOST_FAILURES or job.worn_out:
        return replace(failed(job, now, problem), failures=failures)
    back = _changed(job, now, "queued", "failed-once") if job.status == "running" else job
    pause_s = min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S)
    return _next(back, lease=None, hosted=None, failures=failures, not_before=now + pause_s)


def succeeded(job: Job, now: float, result: str, model: str) -> Job:
    """The result is kept under `result`."""
    _own(job)
    done = _changed(job, now, "succeeded", "done", job.served_by)
    return _next(_ended(done, now), result=result, served_model=model)


def failed(job: Job, now: float, problem: Problem) -> Job:
    """It can't be done, whoever tries."""
    _living(job)
    error = replace(problem, message=problem.message[:LONGEST_MESSAGE])
    return _next(_ended(_changed(job, now, "failed", problem.code, job.served_by), now), error=error)


def canceled(job: Job, now: float) -> Job:
    """Its caller does not want it any more; who works on it finds out when it writes next."""
    _living(job)
    return _next(_ended(_changed(job, now, "canceled", "canceled", job.served_by), now))


def posting(job: Job, until: float) -> Job:
    """Somebody is about to post its webhook: nobody else does until then."""
    assert job.over and job.webhook  # noqa: S101 (only finished jobs are sent)
    return _next(job, webhook=replace(job.webhook, next_at=until))


def posted(job: Job, now: float, *, delivered: bool, next_at: float | None) -> Job:
    """Its webhook was tried."""
    assert job.over and job.webhook  # noqa: S101 (only finished jobs are sent)
    webhook = replace(
        job.webhook, attempts=job.webhook.attempts + 1, next_at=next_at, delivered_at=now if delivered else None
    )
    return _next(job, webhook=webhook)


def _living(job: Job) -> None:
    if job.over:
        raise JobOver(f"job {job.id} has {job.status}")


def _own(job: Job) -> Lease:
    _living(job)
    assert job.lease is not None  # noqa: S101 (only its holder takes these steps, over the revision that it wrote)
    return job.lease


def _changed(job: Job, now: float, status: Status, cause: str, served_by: str = "") -> Job:
    change = Change(job.sequence + 1, max(now, job.changes[-1].at), status, cause, served_by)
    return replace(job, changes=(*job.changes, change))


def _ended(job: Job, now: float) -> Job:
    webhook = replace(job.webhook, next_at=now) if job.webhook else None
    return replace(job, lease=None, webhook=webhook)


def _next(job: Job, **changes: Any) -> Job:
    return replace(job, revision=job.revision + 1, **changes)
