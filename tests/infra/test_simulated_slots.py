"""Facts of the orchestrators' slots."""

import asyncio

from simulator.slots import Slots


async def test_slot_freed_while_waiting_is_taken() -> None:
    slots = Slots(1)
    assert await slots.take("llm", 1)
    waiting = asyncio.create_task(slots.take("llm", 1))
    await asyncio.sleep(0)
    slots.give("llm")
    assert await waiting
    assert slots.free("llm") == 0


async def test_waiting_ends_after_its_time() -> None:
    slots = Slots(0)
    assert not await slots.take("llm", 0.01)
    slots.resize(1)
    assert slots.free("llm") == 1


async def test_longest_waiting_is_served_first() -> None:
    slots, order = Slots(1), []
    await slots.take("llm", 1)

    async def wait(name: str) -> None:
        await slots.take("llm", 1)
        order.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    for _ in tasks:
        slots.give("llm")
        await asyncio.sleep(0.005)
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]


async def test_who_leaves_the_queue_leaves_no_slot_behind() -> None:
    slots = Slots(1)
    await slots.take("llm", 1)
    leaving = asyncio.create_task(slots.take("llm", 1))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    slots.give("llm")
    assert slots.free("llm") == 1


async def test_fall_lets_jobs_run_on_and_a_rise_serves_the_queue() -> None:
    slots = Slots({"llm": 2})
    await slots.take("llm", 1)
    await slots.take("llm", 1)
    slots.resize({"llm": 1})
    assert slots.free("llm") == -1
    waiting = asyncio.create_task(slots.take("llm", 1))
    await asyncio.sleep(0)
    slots.resize({"llm": 3})
    assert await waiting


async def test_each_pipeline_has_slots_of_its_own() -> None:
    slots = Slots(1)
    assert await slots.take("llm", 0)
    assert await slots.take("upscale", 0)
    assert not await slots.take("llm", 0)
