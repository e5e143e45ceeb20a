"""One run of a job: it is found again where it was started before, else goes through its backends until one answers."""

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from pydantic_core import to_json

from spillway.domain.job_steps import succeeded
from spillway.domain.jobs import Job
from spillway.domain.outcomes import kind_of
from spillway.domain.routes import Fallback
from spillway.errors import BadRequest, ContextTooLong, MoneySpent, NobodyAnswered, NoCapacity, Overflow, Postponed
from spillway.ports import Result
from spillway.services.course import Course, Means, course_of
from spillway.services.holding import Hold
from spillway.services.hosted_try import HostedTry, end_hosted
from spillway.services.subnet_try import SUBNET, SubnetTry

Backend = tuple[int, Fallback] | None
"""A fallback and its place in the route; None is the subnet."""

PAUSE_S, LONGEST_PAUSE_S = 15.0, 600.0


class Running:
    """Runs jobs with what there is to run them with."""

    def __init__(self, means: Means):
        self._means = means

    async def run(self, hold: Hold) -> None:
        """Bring a job to its success, or raise what came in between: CallerError, NobodyAnswered, Postponed, and what
        the store and the files raise.
        """
        async with self._course(hold) as course:
            error: BaseException | None = None
            try:
                result = await self._answer(course)
                await self._keep(course, result)
            except BaseException as raised:
                error = raised
                raise
            finally:
                self._record(course, error)

    async def drop(self, job: Job) -> None:
        """A job will not be gone on with. Never raises."""
        await end_hosted(self._means.predictions, job)

    @asynccontextmanager
    async def _course(self, hold: Hold) -> AsyncIterator[Course]:
        job = hold.job
        content = await self._means.files.read(job.input)
        if content is None:
            raise BadRequest("what was sent with the job is kept no more", status=410, code="input_gone")
        with content:
            async with self._means.read(job, content) as request:
                yield course_of(self._means, hold, request, await self._means.caller(job.caller))

    async def _answer(self, course: Course) -> Result:
        self._means.backends.budget.of(course.terms.caller).kick()
        hosted = HostedTry(course)
        if (result := await hosted.again()) is not None:
            return result
        window, ahead = 0, list(self._backends(course))
        while ahead:
            backend = ahead.pop(0)
            try:
                return await (hosted.anew(*backend) if backend else self._on_subnet(course))
            except ContextTooLong:
                window = max(window, (backend[1] if backend else course.route).context_tokens or 1)
                ahead = [one for one in ahead if one and (one[1].context_tokens or 0) > window]
                if not ahead:
                    raise
            except Overflow as error:
                course.failures.append((backend[1].provider if backend else SUBNET, error))
        raise _end_of(course)

    def _backends(self, course: Course) -> Iterator[Backend]:
        """In the order that its caller prefers; hosted ones that asked to be left alone come last."""
        prefer, usable = course.terms.prefer, self._usable(course)
        subnet: list[Backend] = [None] if self._means.door is not None and prefer != "fallback-only" else []
        hosted: list[Backend] = [] if prefer == "subnet-only" else list(usable)
        yield from [*hosted, *subnet] if prefer == "fallback" else [*subnet, *hosted]

    def _usable(self, course: Course) -> list[tuple[int, Fallback]]:
        backends = self._means.backends
        usable = [one for one in enumerate(course.route.fallbacks) if one[1].provider in backends.hosted]
        return sorted(usable, key=lambda one: backends.rests(one[1].place))

    async def _on_subnet(self, course: Course) -> Result:
        """Whoever can go nowhere else waits for as long as the job lives."""
        assert self._means.door is not None  # noqa: S101 (only then it is among the backends)
        alone = course.terms.prefer == "subnet-only" or not self._usable(course)
        until = course.job.expires_at if alone else course.job.queue_until
        return await SubnetTry(course, self._means.door).answer(until, alone=alone)

    async def _keep(self, course: Course, result: Result) -> None:
        """The result's file first, so that a job which has succeeded always has one."""
        job, name = course.job, f"results/{course.job.id}"
        await self._means.files.write(name, io.BytesIO(to_json(result.body)))
        course.record.served_by, course.record.model = job.served_by, result.model
        began_at = job.hosted.began_at if job.hosted else job.started_at or course.now()
        await course.hold.step(lambda job: succeeded(job, course.now(), name, result.model))
        self._means.paces.measured(job.lane, job.served_by, max(0.0, course.now() - began_at))

    def _record(self, course: Course, error: BaseException | None) -> None:
        """Each run that has tried somebody is written into the ledger, as a request is."""
        record, job = course.record, course.job
        if not record.attempts:
            return
        record.outcome = kind_of(error)
        record.seconds = sum(attempt.seconds for attempt in record.attempts)
        record.queue_s = max(0.0, course.now() - job.created_at - record.seconds)
        self._means.backends.ledger.record(record)
        self._means.backends.exchange.due()


def _end_of(course: Course) -> Exception:
    """Why nobody has answered, and whether that is the job's own failure."""
    errors = [error for _, error in course.failures]
    spent = [error for error in errors if isinstance(error, MoneySpent)]
    if spent:
        return Postponed(str(spent[0]), pause_s=min(spent[0].retry_after_s or PAUSE_S, LONGEST_PAUSE_S))
    if not course.record.attempts and all(isinstance(error, NoCapacity) for error in errors):
        return Postponed(
            "; ".join(str(error) for error in errors) or "no backend is configured for it", pause_s=PAUSE_S
        )
    return NobodyAnswered(course.failures, late=False)
