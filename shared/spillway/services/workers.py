"""A worker: takes up the jobs that it is told of, runs them under a lease, and writes how they end.

A job whose worker stops in order is handed back, and one whose worker dies is taken up by another when its lease ends.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from spillway.domain.job_steps import MOST_FAILURES, failed, failed_once, handed_back, put_off
from spillway.domain.jobs import Job, Problem
from spillway.errors import (
    CallerError,
    Conflict,
    JobOver,
    NobodyAnswered,
    Postponed,
    QueueUnavailable,
    SpillwayError,
    StoreUnavailable,
)
from spillway.ports import Clock
from spillway.ports.jobs import Files, Jobs, Queue
from spillway.services.claiming import Claims
from spillway.services.ending import dropped
from spillway.services.holding import LEASE_S, RENEW_S, Hold, Step
from spillway.services.running import Running
from spillway.services.webhooks import Deliveries

log = logging.getLogger("spillway")

HAND_BACK_S = 5.0
"""Of the ten seconds that a process has to stop."""
STORE_PAUSE_S = 5.0
LEASE_LOOK_S, LEASE_MARGIN_S = 1.0, 0.1
"""Between two looks at a lease of another worker; and so long after its end it counts as ended."""
NEAR_S = 20.0
"""A job that may be tried again this soon is waited for by who had it; later ones are told of by a sweep."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a worker finds jobs and leaves them. `claims` gives the worker's own, which have its name."""

    jobs: Jobs
    queue: Queue
    files: Files
    deliveries: Deliveries
    claims: Callable[[], Claims]


class Worker:
    """One process's worker. `epoch` is the clock that processes share."""

    def __init__(
        self, desk: Desk, running: Running, *, epoch: Clock, lease_s: float = LEASE_S, renew_s: float = RENEW_S
    ):
        self._desk, self._running, self._epoch = desk, running, epoch
        self._lease_s, self._renew_s = lease_s, renew_s
        self._at_work: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @property
    def busy(self) -> int:
        """How many jobs it has in hand."""
        return len(self._at_work)

    async def work(self, lane: str, job_id: str) -> None:
        """One job is due in a lane: take up the lane's first, whichever it is, and run it to where it can go.

        Where there is none, the word may have come again because the worker that had `job_id` has died: then that job
        is taken up when its lease ends. Raises Conflict and StoreUnavailable where none could be taken up.
        """
        if not await self._turn(lane) and await self._lease_ends(job_id):
            await self._turn(lane)

    async def _turn(self, lane: str) -> bool:
        """Whether there was a job to take up; it is run to where it can go."""
        took = False
        while not self._stopping.is_set() and (job := await self._desk.claims().take(lane)):
            took, left = True, await self._have(job)
            if left is None or left.over or left.not_before - self._epoch() > NEAR_S:
                break
            await asyncio.sleep(max(0.0, left.not_before - self._epoch()))
        return took

    async def _lease_ends(self, job_id: str) -> bool:
        """Whether another worker lets the lease end under which it has a job."""
        held = await self._desk.jobs.find(job_id)
        if held is None or held.lease is None or held.over or self._desk.claims().holds(held):
            return False
        found: Job | None = held
        while found and found.lease == held.lease and not found.claimable(self._epoch() - LEASE_MARGIN_S):
            with suppress(TimeoutError):
                async with asyncio.timeout(LEASE_LOOK_S):
                    await self._stopping.wait()
                    return False
            found = await self._desk.jobs.find(job_id)
        return found is not None and found.claimable(self._epoch())

    async def stop(self) -> None:
        """Take up nothing more, and hand back what is in hand; bounded in time."""
        self._stopping.set()
        for task in list(self._at_work):
            task.cancel()
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=2 * HAND_BACK_S)

    async def _have(self, job: Job) -> Job | None:
        """A job under its lease; what it is afterwards, None where it is not ours any more."""
        hold = Hold(self._desk.jobs, job, epoch=self._epoch, lease_s=self._lease_s, renew_s=self._renew_s)
        work, keep = asyncio.create_task(self._to_its_end(hold)), asyncio.create_task(hold.keep())
        self._at_work.add(work)
        try:
            await asyncio.wait({work, keep}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                log.info("job %s is let go: it was canceled, or its lease is lost", job.id)
            return hold.job if work.done() and not work.cancelled() else None
        finally:
            await dropped(keep)
            await dropped(work)
            self._at_work.discard(work)

    async def _to_its_end(self, hold: Hold) -> None:
        """Run a job, and write what it comes to."""
        try:
            step = await self._run(hold)
            job = await hold.step(step) if step else hold.job
            if job.over:
                await self._leave(job)
        except asyncio.CancelledError:
            await self._hand_back(hold)
            raise
        except (JobOver, Conflict) as error:
            log.info("dropped: %s", error)
        except StoreUnavailable as error:
            log.warning("job %s is left until its lease ends: %s", hold.job.id, error)

    async def _run(self, hold: Hold) -> Step | None:
        """The step that is to be taken; None where the job has succeeded."""
        job, left_s = hold.job, hold.job.expires_at - self._epoch()
        if job.worn_out:
            return self._fails("worn_out", "it was taken up and lost too often")
        try:
            async with asyncio.timeout(left_s) as time:
                await self._running.run(hold)
        except TimeoutError:
            if not time.expired():
                raise
            await self._running.drop(hold.job)
            return self._fails("expired", "its time was over before anybody could do it")
        except (JobOver, Conflict):
            raise
        except Exception as error:  # noqa: BLE001 (whatever a run comes to is written into the job)
            return self._after(error, hold.job)
        return None

    def _after(self, error: Exception, job: Job) -> Step:
        """What an error means for the job."""
        if isinstance(error, CallerError):
            return self._fails(error.code, error.message)
        if isinstance(error, Postponed | StoreUnavailable):
            pause_s = error.pause_s if isinstance(error, Postponed) else STORE_PAUSE_S
            log.info("job %s waits for %.0f s: %s", job.id, pause_s, error)
            return lambda job: put_off(job, self._epoch(), pause_s)
        problem = Problem("no_capacity", str(error))
        if not isinstance(error, NobodyAnswered):
            log.error("job %s failed inside", job.id, exc_info=error)
            problem = Problem("internal_error", "something went wrong here")
        return lambda job: failed_once(job, self._epoch(), problem)

    def _fails(self, code: str, message: str) -> Step:
        return lambda job: failed(job, self._epoch(), Problem(code, message))

    async def _leave(self, job: Job) -> None:
        """A job has ended: its caller hears of it, and what was kept for running it is removed."""
        self._desk.deliveries.finished(job)
        try:
            await self._desk.files.remove(job.input)
            if job.failures >= MOST_FAILURES:
                await self._desk.queue.dead(job)
        except (StoreUnavailable, QueueUnavailable) as error:
            log.warning("job %s has ended, but: %s", job.id, error)

    async def _hand_back(self, hold: Hold) -> None:
        """Let the next one take it up at once. Where that can't be written in time, its lease ends by itself."""
        if hold.job.over or hold.job.lease is None:
            return
        with suppress(SpillwayError, TimeoutError):
            async with asyncio.timeout(HAND_BACK_S):
                job = await hold.step(lambda job: handed_back(job, self._epoch()))
                await self._desk.queue.tell(job.lane, job.id)
