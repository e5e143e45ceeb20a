"""Values of this moment for a monitoring system: of this process, and what it can see of the others in the state."""

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from spillway.errors import StoreUnavailable
from spillway.ports import Clock, Values
from spillway.ports.jobs import Jobs
from spillway.ports.outbox import Outbox
from spillway.services.announcing import waiting_s
from spillway.services.gate import Gate
from spillway.services.gates import Gates
from spillway.services.rounds import Rounds

log = logging.getLogger("spillway.gauges")

Source = Callable[[], Awaitable[Values]]
"""Part of them. Raises StoreUnavailable."""

WITHIN_S = 5.0
MOST_ROUTES = 100
MOST_WAITING = 50


class Gauges:
    """Asks all sources side by side. A store that is away takes nothing but its own part, and is told of."""

    def __init__(self, sources: Sequence[Source], *, within_s: float = WITHIN_S):
        self._sources, self._within_s = sources, within_s

    async def now(self) -> Values:
        """In bounded time; never raises for a store that is away."""
        parts = await asyncio.gather(*(self._part(source) for source in self._sources))
        whole = {"spillway_store_up": float(all(part is not None for part in parts))}
        return {name: value for part in (*parts, whole) if part for name, value in part.items()}

    async def _part(self, source: Source) -> Values | None:
        try:
            async with asyncio.timeout(self._within_s):
                return await source()
        except (StoreUnavailable, TimeoutError) as error:
            log.info("a part of the metrics can't be had now: %s", error or "the store is slow")
            return None


def of_subnet(gates: Gates) -> Values:
    """What this process believes of the subnet, by route: of known models, those that were asked for last.

    A model that somebody made up is not served by anybody: nothing is down for that.
    """
    seen = [gate for gate in _used(gates) if gate.known]
    return {
        "spillway_subnet_up": {gate.name: float(gate.policy.up) for gate in seen},
        "spillway_subnet_limit": {gate.name: gate.policy.limit for gate in seen},
        "spillway_subnet_in_flight": {gate.name: float(gate.policy.open) for gate in seen},
        "spillway_subnet_waiting": {gate.name: float(gate.policy.waiting) for gate in seen},
    }


class QueueGauges:
    """How many jobs stand in each lane, and how long the first of those that no worker has taken up has waited.

    The lanes of models that are not known are told together, as `PIPELINE *`: callers' words make no series.
    """

    def __init__(self, jobs: Jobs, gates: Gates, *, epoch: Clock):
        self._jobs, self._gates, self._epoch = jobs, gates, epoch

    async def now(self) -> Values:
        """As a source."""
        now = self._epoch()
        used = _used(self._gates)
        crowds = await asyncio.gather(*(self._jobs.crowd(gate.name) for gate in used))
        queued, running = Counter[str](), Counter[str]()
        for gate, crowd in zip(used, crowds, strict=True):
            lane = gate.name if gate.known else f"{gate.pipeline_and_model[0]} *"
            queued[lane] += crowd.queued
            running[lane] += crowd.running
        waiting = await self._jobs.waiting(now, MOST_WAITING)
        return {
            "spillway_jobs_queued": {lane: float(count) for lane, count in queued.items()},
            "spillway_jobs_running": {lane: float(count) for lane, count in running.items()},
            "spillway_jobs_untaken_seconds": max(
                (now - max(job.created_at, job.due or 0.0) for job in waiting), default=0.0
            ),
        }


class RoundGauges:
    """How far behind the timed functions and the announcer are."""

    def __init__(self, rounds: Rounds, outbox: Outbox, *, epoch: Clock):
        self._rounds, self._outbox, self._epoch = rounds, outbox, epoch

    async def now(self) -> Values:
        """As a source."""
        last, waiting = await asyncio.gather(self._rounds.last(), waiting_s(self._outbox, self._epoch()))
        return {"spillway_round_timestamp_seconds": last, "spillway_announcement_waiting_seconds": waiting}


def _used(gates: Gates) -> list[Gate]:
    return heapq.nlargest(MOST_ROUTES, (gate for gate in gates if gate.used), key=lambda gate: gate.asked_at)
