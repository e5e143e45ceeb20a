"""What one run of a job goes by: the job in its worker's hand, the request in it, and the record that is filled."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import BinaryIO
from zlib import crc32

from spillway.domain.callers import Caller
from spillway.domain.fairness import place
from spillway.domain.jobs import Job
from spillway.domain.requests import InferenceRequest, Terms
from spillway.domain.routes import Route
from spillway.errors import Overflow
from spillway.ports import Attempt, Served
from spillway.ports.jobs import Files
from spillway.ports.running import Predictions, SubnetDoor
from spillway.services.backends import Backends
from spillway.services.holding import Hold
from spillway.services.keeping import Keeper
from spillway.services.paces import Paces
from spillway.services.wakes import Wakes

Read = Callable[[Job, BinaryIO], AbstractAsyncContextManager[InferenceRequest]]
"""Makes the stored bytes of a job the request that they were. Raises BadRequest."""


@dataclass(frozen=True, slots=True)
class Means:
    """What jobs are run with. `door` is None where there is no subnet.

    `hook` gives the address at which a provider reports on a job's start by its number; None where it can't.
    """

    backends: Backends
    door: SubnetDoor | None
    predictions: Mapping[str, Predictions]
    keeper: Keeper
    files: Files
    paces: Paces
    wakes: Wakes
    read: Read
    caller: Callable[[str], Awaitable[Caller]]
    hook: Callable[[Job, int], str | None]


@dataclass(slots=True)
class Course:
    """One run."""

    means: Means
    hold: Hold
    request: InferenceRequest
    route: Route
    terms: Terms
    record: Served
    failures: list[tuple[str, Overflow]] = field(default_factory=list)

    @property
    def job(self) -> Job:
        """As it is stored."""
        return self.hold.job

    def now(self) -> float:
        """The time that processes share."""
        return self.hold.epoch()

    def note(self, backend: str, error: BaseException | None, began_at: float, place: str = "") -> None:
        """One try has ended."""
        self.record.attempts.append(Attempt.ended(backend, error, max(0.0, self.now() - began_at), place))


def course_of(means: Means, hold: Hold, request: InferenceRequest, caller: Caller) -> Course:
    """The course of a job."""
    job = hold.job
    route = means.backends.routes.find(job.pipeline, job.model)
    caller = replace(caller, priority=job.priority)
    terms = Terms(prefer=job.prefer, public_url=job.public_url, caller=caller, place=place(job))
    record = Served(job.pipeline, job.model, pictures=request.pictures)
    return Course(means, hold, request, route, terms, record)


def seeded(request: InferenceRequest, job_id: str) -> InferenceRequest:
    """The request with a seed: the job's own where it names none, so that whoever goes on with it gives one answer."""
    if isinstance(request.params.get("seed"), int):
        return request
    return replace(request, params={**request.params, "seed": crc32(job_id.encode()) >> 1})
