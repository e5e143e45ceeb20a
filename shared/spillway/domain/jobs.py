"""What a job is, and what it may be in: the steps between are in domain.job_steps, and nowhere else.

    queued ──► running ──► succeeded | failed
      ▲ │         │ │
      │ └─────────┼─┴────► canceled
      └───────────┘ its worker died, handed it back, or failed and may try again

A job is a value. `revision` counts all that is written of it. What a listener may see is in `changes`, numbered from 1
without a gap and never rewritten: they are the job's history and the source of its events. Times are epoch seconds.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from spillway.domain.requests import Prefer

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
Family = Literal["livepeer", "openai"]
STATUSES: tuple[Status, ...] = get_args(Status)
OVER: frozenset[Status] = frozenset({"succeeded", "failed", "canceled"})

MOST_CHANGES = 100
"""A job that has changed as often and still isn't done never will be; it keeps its document small as well."""


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

    `ids` is empty while it isn't known whether the start has arrived, all of its `parts`; `told` holds meanwhile what
    webhooks have told, by part. `run` is what the provider names beside the job when it reports, so that an earlier
    start isn't taken for this one. `progress` is the provider's own, 0 to 1.
    """

    provider: str
    model: str
    fallback: int
    began_at: float
    usd: float = 0.0
    run: int = 0
    parts: int = 1
    ids: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    progress: float | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """Ids of what runs there, as far as they are known."""
        return self.ids or tuple(filter(None, self.told))


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
    `family` is the API that it came in by, in whose shape its caller sees the result; both files hold Livepeer's.
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
    family: Family = "livepeer"
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
        runs = [change.at for change in self.changes if change.status == "running"]
        return runs[-1] if runs and self.status != "queued" else None

    @property
    def finished_at(self) -> float | None:
        """When it ended."""
        return self.changes[-1].at if self.over else None

    @property
    def due(self) -> float | None:
        """When a worker may take it up, or might have; None once it has ended."""
        return None if self.over else max(self.not_before, self.lease.until if self.lease else 0.0)

    @property
    def webhook_at(self) -> float | None:
        """When its webhook is to be tried; None where there is nothing to send, or not yet."""
        return self.webhook.next_at if self.over and self.webhook else None

    @property
    def worn_out(self) -> bool:
        """Whether so much has happened to it that who takes it up should fail it rather than try again."""
        return self.sequence >= MOST_CHANGES - 4

    @property
    def the_hosted(self) -> Hosted:
        """What was started for it at a provider, where it is known that something was."""
        assert self.hosted is not None  # noqa: S101 (asked of jobs whose start is stored)
        return self.hosted

    def claimable(self, now: float) -> bool:
        """Whether a worker may take it up now."""
        return self.due is not None and self.due <= now
