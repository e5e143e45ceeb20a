"""How tasks that go on beside others are ended."""

import asyncio
from typing import Any


async def ended(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel those that there are, and wait until they have cleaned up."""
    for task in filter(None, tasks):
        task.cancel()
        await asyncio.wait({task})


async def dropped(task: "asyncio.Task[Any]") -> None:
    """End a task whose outcome is of no interest any more."""
    await ended(task)
    unheard(task)


def unheard(task: "asyncio.Future[Any]") -> None:
    """Keep asyncio from logging the error of a task that is over and that nobody will ask."""
    if not task.cancelled():
        task.exception()
