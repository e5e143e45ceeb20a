"""A job's way to the subnet: with patience for as long as it may wait in the queue, and again after a refusal."""

from spillway.domain.job_steps import started
from spillway.errors import NoCapacity
from spillway.ports import Result
from spillway.ports.running import SubnetDoor
from spillway.services.course import Course

SUBNET = "subnet"
MOST_REFUSALS = 5
"""The policy decides on each try anew; but go-livepeer refuses what a model can't take as if there were no slot."""


class SubnetTry:
    """The subnet's part in one run."""

    def __init__(self, course: Course, door: SubnetDoor):
        self._course, self._door = course, door
        self._began_at: float | None = None

    async def answer(self, until: float) -> Result:
        """The subnet's answer, from a try that begins before `until`. Raises CallerError and Overflow."""
        for refusals in range(1, MOST_REFUSALS + 1):
            try:
                return await self._once(max(0.0, until - self._course.now()))
            except NoCapacity as error:
                if refusals == MOST_REFUSALS or not self._worth_another(error, until):
                    raise
        raise AssertionError("the last refusal is raised")

    def _worth_another(self, error: NoCapacity, until: float) -> bool:
        """A 503 of a full subnet is no reason to leave the queue, where the request itself is beyond doubt."""
        refused = self._began_at is not None and type(error) is NoCapacity
        return refused and not self._course.request.doubtful and self._course.now() < until

    async def _once(self, patience_s: float) -> Result:
        course, self._began_at = self._course, None

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
