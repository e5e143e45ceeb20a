"""Starts a job at a hosted provider that tells ids, and learns them: from its answer, or else from its webhook."""

import asyncio

from spillway.domain.job_steps import found
from spillway.domain.outcomes import surely_unpaid
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback
from spillway.errors import Conflict, Overflow, SpillwayError, StoreUnavailable
from spillway.ports.running import Predictions
from spillway.services.course import Course
from spillway.services.ending import unheard

HOOK_S, LOOK_FOR_HOOK_S = 10.0, 1.0
"""So long after a start its webhook is waited for, where the ids did not come another way."""
CREATE_S = 5.0
"""A start that is under way when its worker has to let go is waited for."""


async def start(
    course: Course, request: InferenceRequest, predictions: Predictions, fallback: Fallback, limit_s: float
) -> None:
    """Start what the job has stored that it would. Raises CallerError and Overflow where it came to nothing."""
    hosted = course.job.the_hosted
    creating = asyncio.ensure_future(_create(course, request, predictions, fallback, limit_s))
    try:
        await asyncio.shield(creating)
    except asyncio.CancelledError:
        # Its ids are worth money; where they come later still, they are stored or canceled beside what follows.
        creating.add_done_callback(unheard)
        await asyncio.wait({creating}, timeout=CREATE_S)
        raise
    except Overflow as error:
        # A call that broke off may have arrived: then a webhook says so. Of several the others were taken back.
        if surely_unpaid(error) or hosted.parts > 1 or not await _hook_brings_ids(course, course.now() + HOOK_S):
            raise


async def ids_known(course: Course) -> bool:
    """Whether the ids of what an earlier worker started are stored, or are while its webhook may still come."""
    hosted = course.job.the_hosted
    return bool(hosted.ids) or await _hook_brings_ids(course, hosted.began_at + HOOK_S)


async def _create(
    course: Course, request: InferenceRequest, predictions: Predictions, fallback: Fallback, limit_s: float
) -> None:
    """Start it, and store its ids at once. What nobody will find by them is not left running to be paid for."""
    hook = _hook(course)
    ids = await predictions.start(request, fallback, limit_s=limit_s, hook=hook)
    try:
        job = await course.hold.step(lambda job: found(job, ids))
    except SpillwayError as error:
        if not await _found_without_us(course, error, ids, hook):
            await predictions.cancel(ids)
        raise
    if job.the_hosted.ids != ids:
        await predictions.cancel(ids)


async def _found_without_us(course: Course, error: SpillwayError, ids: tuple[str, ...], hook: str | None) -> bool:
    """Whether somebody will look for what was started, though its ids could not be stored as ours."""
    if isinstance(error, Conflict):
        return await course.hold.leave(ids)
    return isinstance(error, StoreUnavailable) and hook is not None


async def _hook_brings_ids(course: Course, until: float) -> bool:
    """Whether a webhook brings them until then, to this process or to another."""
    if _hook(course) is None:
        return False
    while True:
        job = await course.hold.refresh()
        if job.the_hosted.ids:
            return True
        if course.now() >= until:
            return False
        await course.means.wakes.wait(job.id, min(LOOK_FOR_HOOK_S, until - course.now()))


def _hook(course: Course) -> str | None:
    return course.means.hook(course.job, course.job.the_hosted.run)
