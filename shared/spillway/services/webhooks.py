"""Sends finished jobs to their callers: at once where a job ends, the first repeats there too, later ones by a sweep.

What is still to be sent stands in the job itself (`Job.webhook_at`), so it outlives every process. Who is about to post
writes that first, so others leave it alone for as long as a try may take; a process that dies meanwhile is replaced
by the next sweep. A receiver may therefore get a message twice, always under the same id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from pydantic_core import to_json

from spillway.domain.job_steps import posted, posting
from spillway.domain.jobs import Job
from spillway.domain.redelivery import GONE, arrived, next_try
from spillway.errors import Conflict, Overflow, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Jobs
from spillway.ports.webhooks import Message, Secrets, Webhooks

log = logging.getLogger("spillway")

HOLD_S = 20.0
"""Longer than a try may take; so long does a job wait for the next sweep whose process died while posting it."""
NEAR_S = 20.0
"""A repeat that is due within this is waited for where the job ended."""
AT_ONCE = 20

Render = Callable[[Job], Awaitable[dict[str, Any]]]
"""A job as callers see it."""


class Deliveries:
    """Webhooks of finished jobs. `epoch` is the clock that instances share."""

    def __init__(
        self, jobs: Jobs, webhooks: Webhooks, render: Render, secrets: Secrets, *, epoch: Clock, chance: Random
    ):
        self._jobs, self._webhooks, self._render, self._secrets = jobs, webhooks, render, secrets
        self._epoch, self._chance = epoch, chance
        self._tasks: set[asyncio.Task[None]] = set()

    async def check(self, url: str) -> None:
        """Look at an address when it is given. Raises BadRequest."""
        await self._webhooks.check(url)

    def finished(self, job: Job) -> None:
        """A job has ended here: send it beside other work, and again soon where it did not arrive."""
        if job.webhook_at is not None:
            task = asyncio.get_running_loop().create_task(self._first_tries(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def send(self, job: Job) -> Job | None:
        """One try for a finished job; the job as it is stored then, None where nothing is due or others are at it.

        Raises StoreUnavailable.
        """
        now = self._epoch()
        if job.webhook_at is None or job.webhook_at > now:
            return None
        held = posting(job, now + HOLD_S)
        try:
            await self._jobs.save(held)
            sent = await self._post(held)
            await self._jobs.save(sent)
        except Conflict:
            return None
        return sent

    async def sweep(self) -> int:
        """Send what is due of any process; how many jobs there were. Raises StoreUnavailable."""
        due = await self._jobs.unsent(self._epoch())
        room = asyncio.Semaphore(AT_ONCE)

        async def send(job: Job) -> None:
            async with room:
                await self.send(job)

        ends = await asyncio.gather(*map(send, due), return_exceptions=True)
        for error in filter(None, ends):
            raise error
        return len(due)

    async def settle(self, within_s: float) -> None:
        """Give what goes on beside other work its time, where a process has no processor between requests."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)

    async def close(self) -> None:
        """Stop; what has not arrived is sent by a sweep."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _first_tries(self, job: Job) -> None:
        left: Job | None = job
        try:
            while left and left.webhook_at is not None and (pause_s := left.webhook_at - self._epoch()) <= NEAR_S:
                await asyncio.sleep(max(0.0, pause_s))
                left = await self.send(left)
        except StoreUnavailable as error:
            log.warning("the webhook of job %s waits for the next sweep: %s", job.id, error)

    async def _post(self, job: Job) -> Job:
        """The job after one post."""
        assert job.webhook is not None and job.finished_at is not None  # noqa: S101 (only such are due)
        body = to_json(await self._render(job))
        message = Message(f"job_{job.id}", self._epoch(), body)
        status = 0
        try:
            status = await self._webhooks.post(job.webhook.url, message, await self._secrets(job.caller))
        except Overflow as error:
            log.info("the webhook of job %s did not arrive: %s", job.id, error)
        now = self._epoch()
        if arrived(status) or status == GONE:
            return posted(job, now, delivered=arrived(status), next_at=None)
        again = next_try(job.webhook.attempts + 1, job.finished_at, now, self._chance.random())
        return posted(job, now, delivered=False, next_at=again)
