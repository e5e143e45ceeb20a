"""Tells the workers of this process: the queue of `spillway serve`, with nothing to install.

It holds names alone and forgets them when the process ends. The store holds the jobs, and a sweep at the start tells
of them again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from spillway.domain.jobs import Job
from spillway.errors import SpillwayError

log = logging.getLogger("spillway.queue")

HANDS = 16
"""So many jobs of a lane are worked on at once: most of them wait for the subnet or a provider."""


class LocalQueue:
    """Adapter of ports.jobs.Queue inside one process. A lane that is slow does not keep another waiting."""

    def __init__(self, *, hands: int = HANDS):
        self._hands = hands
        # A dict keeps the order and holds a job once, however often it is told of.
        self._due: dict[str, dict[str, None]] = {}
        self._busy: Counter[str] = Counter()
        self._news = asyncio.Event()

    async def tell(self, lane: str, job_id: str) -> None:
        """One job is due in a lane."""
        self._due.setdefault(lane, {})[job_id] = None
        self._news.set()

    async def dead(self, job: Job) -> None:
        """Nobody collects dead letters here: the log names the job, which its store keeps."""
        log.error("job %s has failed for good: %s", job.id, job.error.code if job.error else "")

    async def close(self) -> None:
        """Nothing is open."""

    async def run(self, work: Callable[[str, str], Awaitable[None]]) -> None:
        """Call `work` with (lane, job id) for each word, for ever. When cancelled, so is what it works on, and it
        ends when that has ended.
        """
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._news.clear()
                for lane in [lane for lane in self._due if self._busy[lane] < self._hands]:
                    self._start(tasks, lane, work)
                await self._news.wait()

    def _start(self, tasks: asyncio.TaskGroup, lane: str, work: Callable[[str, str], Awaitable[None]]) -> None:
        due = self._due[lane]
        while due and self._busy[lane] < self._hands:
            job_id = next(iter(due))
            del due[job_id]
            self._busy[lane] += 1
            tasks.create_task(self._work(lane, job_id, work))
        if not due:
            del self._due[lane]

    async def _work(self, lane: str, job_id: str, work: Callable[[str, str], Awaitable[None]]) -> None:
        try:
            await work(lane, job_id)
        except Exception as error:
            unforeseen = None if isinstance(error, SpillwayError) else error
            log.warning("job %s is left to the next sweep: %s", job_id, error, exc_info=unforeseen)
        finally:
            self._busy[lane] -= 1
            if not self._busy[lane]:
                del self._busy[lane]
            self._news.set()
