"""A job at a hosted provider: paid for once, and found again after the worker that started it.

What is about to be started is stored first, the ids right after. Between the two lies the gap: a worker that dies in it
leaves a start of which nobody knows whether it arrived. Its successor waits for the provider's webhook, which closes
most of the gap, and starts anew. Providers that tell no ids are one gap from the start to the answer.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from spillway.domain.job_steps import gone, resumed, started, starting
from spillway.domain.jobs import Hosted, Job
from spillway.domain.outcomes import surely_unpaid
from spillway.domain.routes import Fallback
from spillway.errors import CallerError, Overflow, SpillwayError, TooSlow, Unreachable
from spillway.ports import Attempt, Result
from spillway.ports.running import Predictions
from spillway.services.budgets import set_aside
from spillway.services.course import Course, seeded
from spillway.services.starting import ids_known, start
from spillway.services.watching import watched

log = logging.getLogger("spillway")


class HostedTry:
    """The hosted providers' part in one run."""

    def __init__(self, course: Course):
        self._course = course
        self._request = seeded(course.request, course.job.id)
        self._money = course.means.backends.budget.of(course.terms.caller)

    # What was started before.

    async def again(self) -> Result | None:
        """The result of what an earlier worker started; None where that came to nothing. Raises CallerError."""
        hosted = self._course.job.hosted
        if hosted is None:
            return None
        fallback = self._known(hosted)
        predictions = self._course.means.predictions.get(hosted.provider)
        if fallback is None or predictions is None or not await ids_known(self._course):
            await self._give_up(hosted)
            return None
        await self._course.hold.step(partial(_resumed, now=self._course.now()))
        try:
            return await self._finished(predictions, fallback)
        except asyncio.CancelledError as error:
            self._note_canceled(fallback, error)
            raise
        except (Overflow, CallerError) as error:
            await self._came_to_nothing(fallback, error)
            if isinstance(error, CallerError):
                raise
            self._course.failures.append((hosted.provider, error))
            return None

    def _known(self, hosted: Hosted) -> Fallback | None:
        """The fallback that it was, unless the routes have changed meanwhile."""
        for fallback in self._course.route.fallbacks:
            if (fallback.provider, fallback.model) == (hosted.provider, hosted.model):
                return fallback
        return None

    async def _give_up(self, hosted: Hosted) -> None:
        """This is the gap: what was started may have arrived, and may be paid twice."""
        course = self._course
        log.warning("job %s may be paid twice: whether its start arrived is not known", course.job.id)
        course.record.attempts.append(Attempt(hosted.provider, "lost", max(0.0, course.now() - hosted.began_at)))
        course.record.usd += hosted.usd
        await end_hosted(course.means.predictions, course.job)
        await course.hold.step(gone)

    # What is started now.

    async def anew(self, place: int, fallback: Fallback) -> Result:
        """Start a job there, and wait for its result, whose media are kept. Raises CallerError and Overflow."""
        usd, priority = fallback.price_usd(self._request.pictures), self._course.terms.priority
        await self._money.prepare(usd, priority)
        reservation = set_aside(self._money, usd, self._course.now(), priority)
        try:
            return await self._paid(place, fallback, usd)
        except asyncio.CancelledError as error:
            self._note_canceled(fallback, error)
            raise
        except (Overflow, CallerError) as error:
            if surely_unpaid(error):
                self._money.release(reservation)
            await self._came_to_nothing(fallback, error)
            raise

    async def _paid(self, place: int, fallback: Fallback, usd: float) -> Result:
        course, predictions = self._course, self._course.means.predictions.get(fallback.provider)
        parts = predictions.parts(self._request, fallback) if predictions else 1
        intent = Hosted(fallback.provider, fallback.model, place, course.now(), usd, parts=parts)
        await course.hold.step(lambda job: starting(job, intent))
        if predictions is None:
            return await self._plainly(fallback)
        await start(course, self._request, predictions, fallback, self._limit_s(fallback))
        await self._begins(fallback.provider)
        return await self._finished(predictions, fallback)

    async def _plainly(self, fallback: Fallback) -> Result:
        """A provider that answers in one call and tells no id."""
        await self._begins(fallback.provider)
        provider, limit_s = self._course.means.backends.hosted[fallback.provider], self._limit_s(fallback)
        try:
            async with asyncio.timeout(limit_s):
                result = await provider.infer(self._request, fallback, limit_s)
        except TimeoutError as error:
            raise TooSlow(f"no answer in {limit_s:.1f} s") from error
        await self._keep(result)
        self._note(fallback, None)
        return result

    async def _begins(self, provider: str) -> None:
        await self._course.hold.step(lambda job: started(job, self._course.now(), provider))

    def _limit_s(self, fallback: Fallback) -> float:
        """Cold start and all; a job has time."""
        usual_s = fallback.timeout or 2 * (self._course.route.deadline + fallback.cold_start)
        return max(1.0, min(usual_s, self._course.job.expires_at - self._course.now()))

    # What is under way.

    async def _finished(self, predictions: Predictions, fallback: Fallback) -> Result:
        """Look until it has ended, and keep what it gave."""
        hosted = self._course.job.the_hosted
        try:
            until = hosted.began_at + self._limit_s(fallback)
            result = await watched(self._course, self._request, predictions, fallback, until)
        except (TooSlow, Unreachable):
            await predictions.cancel(hosted.ids)
            raise
        await self._keep(result)
        self._note(fallback, None)
        return result

    async def _keep(self, result: Result) -> None:
        course = self._course
        await course.means.keeper.insist(result, course.request.pipeline, public_url=course.terms.public_url)

    # How it ended.

    async def _came_to_nothing(self, fallback: Fallback, error: SpillwayError) -> None:
        """The record says so, and the job: nothing of it is looked for any more."""
        self._note(fallback, error)
        if isinstance(error, Overflow):
            self._course.means.backends.rest(fallback.place, error.retry_after_s)
        await self._course.hold.step(partial(gone, refund=surely_unpaid(error)))

    def _note_canceled(self, fallback: Fallback, error: asyncio.CancelledError) -> None:
        """What its caller takes back is paid all the same; what is handed back is not over."""
        if self._course.hold.canceled and self._course.job.hosted:
            self._note(fallback, error)

    def _note(self, fallback: Fallback, error: BaseException | None) -> None:
        hosted = self._course.job.the_hosted
        self._course.note(fallback.provider, error, hosted.began_at, fallback.place)
        self._course.record.usd += 0.0 if surely_unpaid(error) else hosted.usd


async def end_hosted(predictions: Mapping[str, Predictions], job: Job) -> None:
    """A job will not be gone on with: end what runs for it at a provider. Never raises."""
    if job.hosted and job.hosted.known and job.hosted.provider in predictions:
        await predictions[job.hosted.provider].cancel(job.hosted.known)


def _resumed(job: Job, *, now: float) -> Job:
    return resumed(job, now) if job.status != "running" else job
