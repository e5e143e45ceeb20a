"""A job's way to the subnet: with patience for as long as it may wait in the queue, and again after a refusal."""

from zlib import crc32

from spillway.domain.job_steps import started
from spillway.errors import NoCapacity, Postponed
from spillway.ports import Result
from spillway.ports.running import SubnetDoor
from spillway.services.course import Course

SUBNET = "subnet"
MOST_REFUSALS = 5
"""The policy decides on each try anew; but go-livepeer refuses what a model can't take as if there were no slot."""
TURN_S, STEP_BACK_S = 30.0, 30.0
"""Whoever can go nowhere else keeps a worker's hand for so long, or up to twice as long; then others get it."""


class SubnetTry:
    """The subnet's part in one run."""

    def __init__(self, course: Course, door: SubnetDoor, *, turn_s: float = TURN_S):
        self._course, self._door = course, door
        self._began_at: float | None = None
        # So that those who came together do not all step back together.
        self._turn_s = turn_s * (1.0 + crc32(course.job.id.encode()) / 2**32)

    async def answer(self, until: float, *, alone: bool) -> Result:
        """The subnet's answer, from a try that begins before `until`. Raises CallerError and Overflow.

        Whoever is `alone` has no fallback to go to, and may wait for a day: he steps back where others are due that
        find all hands taken, as they may have one. Raises Postponed then.
        """
        for refusals in range(1, MOST_REFUSALS + 1):
            try:
                return await (self._in_turns(until) if alone else self._once(until))
            except NoCapacity as error:
                if refusals == MOST_REFUSALS or not self._worth_another(error, until):
                    raise
        raise AssertionError("the last refusal is raised")

    def _worth_another(self, error: NoCapacity, until: float) -> bool:
        """A 503 of a full subnet is no reason to leave the queue, where the request itself is beyond doubt."""
        refused = self._began_at is not None and type(error) is NoCapacity
        return refused and not self._course.request.doubtful and self._course.now() < until

    async def _in_turns(self, until: float) -> Result:
        course = self._course
        while (turn := course.now() + self._turn_s) < until:
            try:
                return await self._once(turn)
            except NoCapacity:
                # Whoever is turned away before the turn is over is so for another reason.
                if self._began_at is not None or turn - course.now() > self._turn_s / 10:
                    raise
            if await course.hold.others_wait():
                raise Postponed("others are due, and the subnet has no slot", pause_s=STEP_BACK_S)
        return await self._once(until)

    async def _once(self, until: float) -> Result:
        course, self._began_at = self._course, None
        patience_s = max(0.0, until - course.now())

        async def begins() -> None:
            self._began_at = course.now()
            await course.hold.step(lambda job: started(job, course.now(), SUBNET))

        try:
            result = await self._door.infer(course.request, course.terms, patience_s, begins)
        except BaseException as error:
            if self._began_at is not None:
                course.note(SUBNET, error, self._began_at)
            raise
        course.note(SUBNET, None, self._began_at or course.now())
        return result
