"""How it all is going, for a person: the past of a view, and what holds now. Each part may be missing by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.burst_book import Book
from spillway.domain.chronicle import DAY_S, HOUR_S, Cells
from spillway.domain.redemption_sums import Sum, Sums
from spillway.domain.redemptions import Redemption
from spillway.errors import SpillwayError
from spillway.ports import Clock
from spillway.ports.jobs import Crowd, Jobs
from spillway.ports.store import Store
from spillway.services.archive import Archive, Range
from spillway.services.balancing import STATE
from spillway.services.deposit_reports import DepositReports
from spillway.services.exchange import BALANCER, TARGETS
from spillway.services.gates import Gates
from spillway.services.redemption_reports import Period, RedemptionReports

CHANGES_SHOWN, LATEST_SHOWN = 12, 10
WEEK_S = 7 * DAY_S
Figures = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Warm:
    """A hosted deployment: how it is used, how many instances are kept, and why."""

    name: str
    way: str
    least: int
    why: str


@dataclass(frozen=True, slots=True)
class Burst:
    """Rented orchestrators at one cloud: how many run, and what they cost an hour."""

    cloud: str
    machines: int
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Target:
    """What the balancer lets the subnet have of a route, at the most, and why."""

    share: float
    why: str


@dataclass(frozen=True, slots=True)
class Won:
    """Winning tickets that were redeemed: all of a view, each whole day of it or of a week, and the latest.

    `since`: when the first of these days began, in epoch seconds.
    """

    sums: Sums
    since: int
    days: Mapping[str, Sum]
    latest: Sequence[Redemption]


@dataclass(slots=True)
class Facts:
    """Everything that is shown. `missing` says which parts couldn't be had, and why."""

    view: Range
    cells: Cells = field(default_factory=dict)
    gates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budget: Mapping[str, float] = field(default_factory=dict)
    lanes: Mapping[str, Crowd] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    warm: Sequence[Warm] = ()
    warm_usd_today: float = 0.0
    bursts: Sequence[Burst] = ()
    changes: Sequence[Mapping[str, Any]] = ()
    won: Won | None = None
    deposit: Mapping[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


class Overview:
    """Looks everything up at once. A part that can't be had leaves its place empty and says why."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        gates: Gates,
        jobs: Jobs,
        *,
        redemptions: RedemptionReports,
        deposits: DepositReports,
        budget: Figures,
        epoch: Clock,
    ):
        self._store, self._archive, self._gates, self._jobs = store, archive, gates, jobs
        self._redemptions, self._deposits = redemptions, deposits
        self._budget, self._epoch = budget, epoch

    async def facts(self, view: Range) -> Facts:
        """Never raises for a part that is away."""
        facts = Facts(view, gates={gate.name: gate.describe() for gate in self._gates if gate.used})
        facts.budget = self._budget()
        parts: dict[str, Callable[[Facts], Awaitable[None]]] = {
            "the past": self._past,
            "the balancer": self._balancer,
            "jobs": self._lanes,
            "redemptions": self._won,
            "deposits": self._deposit,
        }
        told = await asyncio.gather(*(part(facts) for part in parts.values()), return_exceptions=True)
        for name, error in zip(parts, told, strict=True):
            if isinstance(error, SpillwayError):
                facts.missing[name] = str(error)
            elif error is not None:
                raise error
        return facts

    async def _past(self, facts: Facts) -> None:
        facts.cells = await self._archive.cells(facts.view)

    async def _lanes(self, facts: Facts) -> None:
        names = [gate.name for gate in self._gates]
        crowds = await asyncio.gather(*(self._jobs.crowd(name) for name in names))
        facts.lanes = {name: crowd for name, crowd in zip(names, crowds, strict=True) if crowd.queued or crowd.running}

    async def _won(self, facts: Facts) -> None:
        # A day's redemptions are summed once a view, not once a look: the period moves on by hours.
        since = int(self._epoch()) - facts.view.span_s
        period = Period(since=since - since % HOUR_S)
        latest = await self._redemptions.page(Period(), None, LATEST_SHOWN)
        if latest.redemptions:
            whole_days = Period(since=min(since, int(self._epoch()) - WEEK_S) // DAY_S * DAY_S)
            days = await self._redemptions.recent_sums(whole_days, "day")
            # Long views are summed once: their first day counts whole.
            long = facts.view.span_s >= WEEK_S
            sums = days if long else await self._redemptions.recent_sums(period)
            facts.won = Won(sums, whole_days.since, days.groups, latest.redemptions)

    async def _deposit(self, facts: Facts) -> None:
        facts.deposit = await self._deposits.report()

    async def _balancer(self, facts: Facts) -> None:
        targets, state = await asyncio.gather(self._store.read(BALANCER, TARGETS), self._store.read(BALANCER, STATE))
        if targets:
            routes, places = targets.body.get("routes", {}), targets.body.get("places", {})
            facts.targets = {name: Target(one["target"], one["why"]) for name, one in routes.items()}
            facts.warm = [
                Warm(name, one["way"], one["least"], one["why"] or one["way_why"]) for name, one in places.items()
            ]
            facts.warm_usd_today = float(targets.body.get("warm_usd_today", 0.0))
        if state:
            now = self._epoch()
            facts.bursts = [_burst(name, Book.read(one, now)) for name, one in state.body.get("scalers", {}).items()]
            facts.changes = list(reversed(state.body.get("changes", [])))[:CHANGES_SHOWN]


def _burst(cloud: str, book: Book) -> Burst:
    running = [entry for entry in book.machines.values() if entry.until is None]
    return Burst(cloud, len(running), sum(entry.usd_per_hour for entry in running))
