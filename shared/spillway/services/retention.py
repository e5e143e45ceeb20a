"""Forgets what was promised to be forgotten: inputs a day after their job, jobs with their results after a week.

Normally an input goes with the end of its job; what is found here is what a process that died has left. Every step may
be done twice and by several processes at once. Files go before the job that names them, so that none is left behind.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from spillway.domain.jobs import Job
from spillway.ports import Artifacts, Clock
from spillway.ports.jobs import Files, Jobs

INPUTS, RESULTS = "inputs", "results"
AT_ONCE = 10
SELDOM_S = 3600.0
"""How often artifacts are gone through: there are many, and an hour more or less is nothing in a week."""
MARGIN_S = 86_400.0
"""Results without a job are looked for only when no job can name them any more."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things are kept: inputs and results, in seconds after their job's end."""

    inputs_s: float
    results_s: float


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of each were removed."""

    jobs: int
    files: int
    artifacts: int


class Retention:
    """One process's share of the sweeping."""

    def __init__(self, jobs: Jobs, files: Files, artifacts: Artifacts, terms: Terms, *, epoch: Clock):
        self._jobs, self._files, self._artifacts = jobs, files, artifacts
        self._terms, self._epoch = terms, epoch
        self._artifacts_at = 0.0

    async def sweep(self) -> Forgotten:
        """Remove what is too old, up to some hundreds of each; the rest the next time. Raises StoreUnavailable."""
        now = self._epoch()
        finished = await self._jobs.finished_before(now - self._terms.results_s)
        await _some_at_once(self._forget(job) for job in finished)
        left = [*await self._inputs(now), *await self._files.old(RESULTS, now - self._terms.results_s - MARGIN_S)]
        await _some_at_once(self._files.remove(name) for name in left)
        return Forgotten(len(finished), len(left), await self._old_artifacts(now))

    async def _forget(self, job: Job) -> None:
        for name in (job.input, job.result):
            if name is not None:
                await self._files.remove(name)
        await self._jobs.remove(job.id)

    async def _inputs(self, now: float) -> list[str]:
        """Old inputs whose job has ended, or is not there: one that lives may need its input for longer."""
        names = await self._files.old(INPUTS, now - self._terms.inputs_s)
        found = await self._jobs.find_many([name.removeprefix(f"{INPUTS}/") for name in names])
        needed = {job.input for job in found if not job.over}
        return [name for name in names if name not in needed]

    async def _old_artifacts(self, now: float) -> int:
        if now < self._artifacts_at:
            return 0
        removed = await self._artifacts.sweep(now - self._terms.results_s)
        self._artifacts_at = now + SELDOM_S
        return removed


async def _some_at_once(calls: Iterable[Awaitable[None]]) -> None:
    waiting = list(calls)
    for begin in range(0, len(waiting), AT_ONCE):
        await asyncio.gather(*waiting[begin : begin + AT_ONCE])
