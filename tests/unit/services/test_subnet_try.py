"""Who can go nowhere but to the subnet keeps its worker's hand for as long as no other job wants one."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Job
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest, Terms
from spillway.domain.routes import Route
from spillway.edge.requests import json_request
from spillway.errors import NoCapacity, Postponed
from spillway.ports import Result, Served
from spillway.ports.running import Started
from spillway.services.course import Course
from spillway.services.holding import Hold
from spillway.services.subnet_try import STEP_BACK_S, SubnetTry
from support.jobs import new_job

REQUEST = json_request(PIPELINES["text-to-image"], {"prompt": "a river"})
RESULT = Result({"images": []}, "any")


class Door:
    """In place of the subnet's door: each call is answered, turned away at once, or not before its patience ends."""

    def __init__(self, *answers: str):
        self._answers = list(answers)
        self.patience: list[float] = []

    async def infer(self, request: InferenceRequest, terms: Terms, patience_s: float, started: Started) -> Result:
        """As ports.running has it."""
        self.patience.append(patience_s)
        answer = self._answers.pop(0)
        if answer == "late":
            await asyncio.sleep(patience_s)
        if answer != "served":
            raise NoCapacity(answer)
        await started()
        return RESULT

    async def close(self) -> None:
        """Nothing is open."""


async def a_try(door: Door, *, others: Sequence[Job] = (), turn_s: float = 0.05) -> SubnetTry:
    """The try of a job in a worker's hand, beside others of its lane."""
    jobs = MemoryJobs()
    job = job_steps.claimed(await jobs.add(new_job(created_at=time.time())), "worker", time.time(), 30.0)
    await jobs.save(job)
    for other in others:
        await jobs.add(other)
    hold = Hold(jobs, job, epoch=time.time)
    record = Served("text-to-image", "any")
    course = Course(None, hold, REQUEST, Route(pipeline="text-to-image"), Terms(), record)  # type: ignore[arg-type]
    return SubnetTry(course, door, turn_s=turn_s)


async def test_it_waits_on_while_nobody_else_is_due() -> None:
    door = Door("late", "late", "served")
    others = [new_job(not_before=time.time() + 60), new_job(lane="another"), new_job(created_at=time.time())]
    tried = await a_try(door, others=others)
    assert await tried.answer(time.time() + 60, alone=True) == RESULT
    assert len(door.patience) == 3


async def test_it_steps_back_where_another_job_is_due_and_finds_no_hand() -> None:
    door = Door("late")
    tried = await a_try(door, others=[new_job(created_at=time.time() - 60)])
    with pytest.raises(Postponed) as stepped:
        await tried.answer(time.time() + 60, alone=True)
    assert (stepped.value.pause_s, len(door.patience)) == (STEP_BACK_S, 1)


async def test_who_has_a_fallback_waits_as_long_as_its_queue_allows() -> None:
    door = Door("served")
    tried = await a_try(door, others=[new_job(created_at=time.time() - 60)])
    await tried.answer(time.time() + 60, alone=False)
    assert door.patience == [pytest.approx(60, abs=1)]


async def test_the_last_turn_ends_when_its_time_does() -> None:
    door = Door("late")
    tried = await a_try(door, others=[new_job(created_at=time.time() - 60)], turn_s=10.0)
    with pytest.raises(NoCapacity):
        await tried.answer(time.time() + 0.05, alone=True)


async def test_who_is_turned_away_for_another_reason_does_not_ask_again() -> None:
    door = Door("capped")
    tried = await a_try(door, turn_s=10.0)
    with pytest.raises(NoCapacity, match="capped"):
        await tried.answer(time.time() + 60, alone=True)
    assert len(door.patience) == 1
