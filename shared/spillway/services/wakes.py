"""Wakes whoever waits in this process for news of a job from outside: its provider's webhook came."""

import asyncio
from collections import defaultdict
from contextlib import suppress


class Wakes:
    """By a job's id. Nobody relies on being woken: it only saves a wait."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def wake(self, job_id: str) -> None:
        """There is news."""
        for event in self._waiting.get(job_id, ()):
            event.set()

    async def wait(self, job_id: str, seconds: float) -> None:
        """Until there is news, or for so long."""
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]
