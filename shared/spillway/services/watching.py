"""Looks at what runs at a hosted provider until it has ended, and tells how far it is."""

import random

from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback
from spillway.errors import Overflow, TooSlow
from spillway.ports import Result
from spillway.ports.running import Predictions
from spillway.services.course import Course

FIRST_LOOK_S, LONGEST_LOOK_S = 0.25, 2.0
SILENCE_S = 60.0
"""A provider that can't be asked for longer is left, and what runs there with it."""


async def watched(
    course: Course, request: InferenceRequest, predictions: Predictions, fallback: Fallback, until: float
) -> Result:
    """The result of what the job has under way, which may take until then, and is looked at twice at the least.

    Raises what its end stands for. A webhook saves the wait for the next look.
    """
    hosted, pause_s, heard_at = course.job.the_hosted, FIRST_LOOK_S, course.now()
    until = max(until, heard_at + LONGEST_LOOK_S)
    while course.now() <= until:
        try:
            look = await predictions.look(hosted.ids, request, fallback)
        except Overflow:
            if course.now() - heard_at > SILENCE_S:
                raise
        else:
            heard_at = course.now()
            if look.error:
                raise look.error
            if look.result:
                return look.result
            await course.hold.tell(look.progress)
        await course.means.wakes.wait(course.job.id, pause_s * random.uniform(0.8, 1.2))
        pause_s = min(1.5 * pause_s, LONGEST_LOOK_S)
    raise TooSlow(f"{hosted.provider} has not ended it in time")
