"""A job's life, in one place: what it is, the steps that it may take, and what each step leaves behind.

    queued ──► running ──► succeeded | failed
      ▲ │         │ │
      │ └─────────┼─┴────► canceled
      └───────────┘ its worker died, handed it back, or failed and may try again

A job is a value; a step gives the next one, which a store keeps only over the revision that it was made from. So two
workers can never both hold a job or both end it. `revision` counts all that is written. What a listener may see is in
`changes`, numbered from 1 without a gap and never rewritten: they are the job's history and the source of its events.
A job that has ended takes no step any more. Times are epoch seconds and come in as arguments.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from spillway.domain.requests import Prefer
from spillway.errors import JobOver

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
STATUSES: tuple[Status, ...] = get_args(Status)
OVER: frozenset[Status] = frozenset({"succeeded", "failed", "canceled"})

MOST_FAILURES = 5
"""After as many failures of its own a job has failed; a worker's death is none."""
MOST_CHANGES = 100
"""A job that has changed as often and still isn't done never will be; it keeps its document small as well."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 120.0


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a job's history. `cause` is a word of the code's own: accepted, started, handed-back, lost, …"""

    sequence: int
    at: float
    status: Status
    cause: str
    served_by: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a job, and until when nobody else may."""

    holder: str
    until: float


@dataclass(frozen=True, slots=True)
class Hosted:
    """What was started at a hosted provider for a job: found again there by its ids, not started twice.

    `ids` is empty while it isn't known whether the start has arrived. `progress` is the provider's own, 0 to 1.
    """

    provider: str
    model: str
    fallback: int
    began_at: float
    usd: float = 0.0
    ids: tuple[str, ...] = ()
    progress: float | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the finished job is sent. `next_at` is None once it has arrived or was given up."""

    url: str
    attempts: int = 0
    next_at: float | None = None
    delivered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job failed: a stable word for programs, and words for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request that is answered later.

    `lane` is the queue that it stands in ("pipeline model", as a route's gate is named) and `rank` its place there
    (domain.fairness). Its input lies in the file `input`, of `content_type`; its result in the file `result`.
    `queue_until` is when it goes to a fallback rather than waiting on, `expires_at` when it is given up.
    `tries` counts the tries made at backends, paid or not; `usd` is what hosted ones cost.
    """

    id: str
    caller: str
    pipeline: str
    model: str
    lane: str
    rank: int
    input: str
    content_type: str
    created_at: float
    queue_until: float
    expires_at: float
    changes: tuple[Change, ...]
    revision: int = 1
    prefer: Prefer = "auto"
    priority: int = 0
    public_url: str = ""
    not_before: float = 0.0
    lease: Lease | None = None
    failures: int = 0
    deaths: int = 0
    tries: int = 0
    usd: float = 0.0
    hosted: Hosted | None = None
    served_by: str = ""
    served_model: str = ""
    result: str | None = None
    error: Problem | None = None
    webhook: Webhook | None = None

    @property
    def status(self) -> Status:
        """As its last change says."""
        return self.changes[-1].status

    @property
    def sequence(self) -> int:
        """The number of its last change."""
        return self.changes[-1].sequence

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    @property
    def started_at(self) -> float | None:
        """When the run began that is under way or gave the result; None while it is queued."""
        return self._latest("running") if self.status != "queued" else None

    @property
    def finished_at(self) -> float | None:
        """When it ended."""
        return self.changes[-1].at if self.over else None

    def _latest(self, status: Status) -> float | None:
        return next((change.at for change in reversed(self.changes) if change.status == status), None)

    def held(self, now: float) -> bool:
        """Whether a worker holds it."""
        return self.lease is not None and now < self.lease.until

    def claimable(self, now: float) -> bool:
        """Whether a worker may take it up now."""
        return not self.over and not self.held(now) and now >= self.not_before


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


def starting(job: Job, hosted: Hosted) -> Job:
    """A prediction is about to be created: from now on it is looked for before another one is."""
    _own(job)
    return _next(job, hosted=hosted, usd=job.usd + hosted.usd)


def found(job: Job, ids: tuple[str, ...]) -> Job:
    """The provider has told the ids, to the worker or by webhook; the first told are kept."""
    _living(job)
    assert job.hosted is not None  # noqa: S101 (ids are told of what was started)
    return job if job.hosted.ids else _next(job, hosted=replace(job.hosted, ids=ids))


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
    if failures >= MOST_FAILURES or job.sequence >= MOST_CHANGES - 2:
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
    return _next(_ended(_changed(job, now, "failed", problem.code, job.served_by), now), error=problem)


def canceled(job: Job, now: float) -> Job:
    """Its caller does not want it any more; who works on it finds out when it writes next."""
    _living(job)
    return _next(_ended(_changed(job, now, "canceled", "canceled", job.served_by), now))


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


def as_document(job: Job) -> dict[str, Any]:
    """A JSON object that holds all of it."""
    return asdict(job)


def from_document(body: Mapping[str, Any]) -> Job:
    """The job of `as_document`; fields that a later version has added are left out."""
    known = {field.name for field in fields(Job)}
    given = {name: value for name, value in body.items() if name in known}
    given["changes"] = tuple(Change(**change) for change in body["changes"])
    for name, kind in (("lease", Lease), ("webhook", Webhook), ("error", Problem)):
        if body.get(name) is not None:
            given[name] = kind(**body[name])
    if body.get("hosted") is not None:
        given["hosted"] = Hosted(**{**body["hosted"], "ids": tuple(body["hosted"]["ids"])})
    return Job(**given)
