"""Whoever's place comes first is the next at the head of a line, and nobody who left it holds it up."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.services.line import Line


class Scene:
    """A line, and who was at its head, in their order."""

    def __init__(self) -> None:
        self.line = Line()
        self.heads: list[str] = []
        self.on = asyncio.Semaphore(0)

    async def stand(self, place: str) -> None:
        """Come up to the head, and stay there until the test says go on."""
        async with self.line.head(place):
            self.heads.append(place)
            await self.on.acquire()

    async def come(self, places: Sequence[str]) -> list["asyncio.Task[None]"]:
        """One after the other."""
        tasks = []
        for place in places:
            tasks.append(asyncio.create_task(self.stand(place)))
            await asyncio.sleep(0)
        return tasks

    async def go_home(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Everybody comes to the head, and goes."""
        for _ in tasks:
            self.on.release()
        async with asyncio.timeout(2.0):
            await asyncio.wait(tasks)


async def test_after_the_head_comes_the_first_place() -> None:
    scene = Scene()
    await scene.go_home(await scene.come(["5", "3", "4", "1", "3"]))
    assert scene.heads == ["5", "1", "3", "3", "4"]


async def test_a_line_that_has_ended_begins_anew() -> None:
    scene = Scene()
    for _ in range(2):
        await scene.go_home(await scene.come(["2", "1"]))
    assert scene.heads == ["2", "1"] * 2


@pytest.mark.parametrize("leaves", [0, 1, 2])
async def test_who_leaves_holds_nobody_up(leaves: int) -> None:
    scene = Scene()
    tasks = await scene.come(["1", "2", "3"])
    tasks[leaves].cancel()
    await scene.go_home(tasks)
    assert set(scene.heads) >= {"1", "2", "3"} - {str(leaves + 1)}
    assert not scene.line._headed


async def test_who_leaves_in_the_moment_of_his_turn_passes_it_on() -> None:
    scene = Scene()
    tasks = await scene.come(["1", "2", "3"])
    scene.on.release()
    while not tasks[0].done():
        await asyncio.sleep(0)
    tasks[1].cancel()
    await scene.go_home(tasks)
    assert scene.heads in (["1", "3"], ["1", "2", "3"])
    assert not scene.line._headed


@given(st.lists(st.tuples(st.sampled_from(["come", "leave", "go on", "pass"]), st.integers(0, 9)), max_size=40))
def test_there_is_one_head_at_a_time_and_no_turn_is_lost(steps: list[tuple[str, int]]) -> None:
    async def played() -> None:
        scene, inside, tasks = Scene(), 0, list[asyncio.Task[None]]()

        async def stand(place: str) -> None:
            nonlocal inside
            async with scene.line.head(place):
                inside += 1
                assert inside == 1
                try:
                    await scene.on.acquire()
                finally:
                    inside -= 1

        for word, number in steps:
            if word == "come":
                tasks.append(asyncio.create_task(stand(str(number))))
            elif word == "leave" and tasks:
                tasks[number % len(tasks)].cancel()
            elif word == "go on":
                scene.on.release()
            else:
                await asyncio.sleep(0)
        if tasks:
            await scene.go_home(tasks)
        assert [one.exception() for one in tasks if not one.cancelled() and one.exception()] == []
        assert not scene.line._headed

    asyncio.run(played())
