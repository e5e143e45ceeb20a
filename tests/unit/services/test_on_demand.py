"""What is made on demand is made once, and not in the event loop."""

import asyncio
import threading
import time
from typing import Any

from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest, JsonPayload
from spillway.ports import Chunks, Result
from spillway.services.on_demand import InferenceOnDemand, OnDemand

REQUEST = InferenceRequest(PIPELINES["llm"], "model", {}, JsonPayload(b"{}"))


async def test_many_who_ask_at_once_get_one_thing() -> None:
    made: list[object] = []

    def make() -> object:
        time.sleep(0.01)
        made.append(object())
        return made[-1]

    thing = OnDemand(make)
    got = await asyncio.gather(*(thing.get() for _ in range(10)))
    assert got == [made[0]] * 10
    assert len(made) == 1
    assert thing.now() is thing.made is made[0]


async def test_it_is_made_beside_the_event_loop() -> None:
    thread = OnDemand(threading.current_thread)
    assert await thread.get() is not threading.current_thread()


async def test_what_could_not_be_made_is_tried_again() -> None:
    tries = iter([ZeroDivisionError(), "made"])

    def make() -> str:
        if isinstance(outcome := next(tries), Exception):
            raise outcome
        return outcome

    thing = OnDemand(make)
    outcomes = await asyncio.gather(thing.get(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError]
    assert await thing.get() == "made"


class Backend:
    """Answers with its own name."""

    closed = False

    async def infer(self, request: InferenceRequest, target: str, timeout_s: float) -> Result:
        return Result({"by": target}, request.model)

    async def stream(self, request: InferenceRequest, target: str, timeout_s: float) -> Chunks:
        for word in (target, "again"):
            yield {"word": word}

    async def close(self) -> None:
        self.closed = True


async def test_a_backend_on_demand_answers_as_itself() -> None:
    backend = Backend()
    on_demand: InferenceOnDemand[str] = InferenceOnDemand(OnDemand(lambda: backend))
    assert await on_demand.infer(REQUEST, "me", 1.0) == Result({"by": "me"}, "model")
    told: list[dict[str, Any]] = [chunk async for chunk in on_demand.stream(REQUEST, "me", 1.0)]
    assert told == [{"word": "me"}, {"word": "again"}]
    await on_demand.close()
    assert backend.closed


async def test_a_backend_that_nobody_needed_is_not_made_to_be_closed() -> None:
    unused: OnDemand[Any] = OnDemand(Backend)
    await InferenceOnDemand(unused).close()
    assert unused.made is None
