"""One round over a deployment's burst machines at one cloud: look, judge, plan, act, report.

A round may be cut off anywhere. What must not be lost, that a machine is about to be asked for, is kept before the
call goes out; everything else is found again by the next round's listing. Rounds of one deployment must not overlap:
`keep` should refuse where another round has kept something meanwhile, then nothing is started.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from spillway.domain.burst import BurstTerms, Machine, MachineSpec, Need, Order, plan
from spillway.domain.burst_book import Book, Sighting
from spillway.domain.machine_names import machine_name
from spillway.errors import SpillwayError
from spillway.ports import Clock
from spillway.ports.burst import Machines, Readiness
from spillway.services.scaling import Keep, State

log = logging.getLogger("spillway.bursting")
WITHIN_S = 50.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """A route's side: its terms, what it lacks, and how a machine for it is made."""

    terms: BurstTerms
    need: Need
    spec: MachineSpec


@dataclass(frozen=True, slots=True)
class Step:
    """One order of a round; `error` says what went wrong, "" where nothing did."""

    fleet: str
    order: Order
    error: str = ""


@dataclass(slots=True)
class Report:
    """A round in figures. `usd_today` and `usd_per_hour` are the most that the machines may cost.

    `addresses` are the machines that may be given jobs: they belong into the gateway's pool of orchestrators, also
    before they are ready, as only the gateway finds out. `problems` kept the round from being whole.
    """

    steps: list[Step] = field(default_factory=list)
    machines: dict[str, list[Machine]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    usd_today: dict[str, float] = field(default_factory=dict)
    usd_per_hour: float = 0.0
    problems: list[str] = field(default_factory=list)


class Bursting:
    """The rounds. `keep` stores the state before money is spent; the state that `round` gives back is stored too."""

    def __init__(
        self,
        machines: Machines,
        readiness: Readiness,
        *,
        deployment: str,
        epoch: Clock,
        keep: Keep,
        random: Random,
        within_s: float = WITHIN_S,
    ):
        self._machines, self._readiness = machines, readiness
        self._deployment, self._epoch, self._keep, self._random = deployment, epoch, keep, random
        self._within_s = within_s

    async def round(self, fleets: Mapping[str, Fleet], state: Mapping[str, Any]) -> tuple[State, Report]:
        """`fleets` by domain.machine_names.fleet_of; machines of other fleets are removed. Gives the state to store.

        Failures of the cloud are in the report. What `keep` raises is passed on; nothing is started then.
        """
        book, report = Book.read(state, self._epoch()), Report()
        try:
            async with asyncio.timeout(self._within_s) as limit:
                await self._round(fleets, book, report)
        except TimeoutError:
            if not limit.expired():
                raise
            report.problems.append(f"the round was cut off after {self._within_s:g} s")
        self._sum_up(fleets, book, report)
        return book.write(), report

    async def _round(self, fleets: Mapping[str, Fleet], book: Book, report: Report) -> None:
        try:
            sightings = await self._machines.sightings()
        except SpillwayError as error:
            # Without a listing nothing is known: to start could pass the cap, to delete could hit what serves.
            report.problems.append(f"the machines can't be listed: {error}")
            return
        now = self._epoch()
        book.observe(now, sightings, {name: fleet.terms for name, fleet in fleets.items()})
        ready = await self._ready(sightings, report)
        book.judge(now, [name for name, is_ready in (ready or {}).items() if is_ready])
        seen = {sighting.name: sighting for sighting in sightings}
        report.machines = {name: book.machines_of(name, seen, ready) for name in _all(fleets, book)}
        plans = {name: self._plan(name, fleets.get(name), book, report) for name in report.machines}
        await self._remove(plans, report)
        for name, orders in plans.items():
            await self._start(name, fleets.get(name), orders, book, report)

    async def _ready(self, sightings: Sequence[Sighting], report: Report) -> dict[str, bool] | None:
        """By name; None where nobody could tell."""
        addresses = {sighting.address for sighting in sightings if sighting.address}
        try:
            known = await self._readiness.ready(addresses) if addresses else {}
        except SpillwayError as error:
            report.problems.append(f"nobody can tell which machines are orchestrators: {error}")
            return None
        return {sighting.name: known.get(sighting.address, False) for sighting in sightings}

    def _plan(self, name: str, fleet: Fleet | None, book: Book, report: Report) -> list[Order]:
        now, machines = self._epoch(), report.machines[name]
        terms, need = (fleet.terms, fleet.need) if fleet else (_UNWANTED, Need())
        rate = max(terms.usd_per_hour, book.usd_per_hour(name))
        terms = terms.model_copy(update={"usd_per_hour": rate})
        spent_usd, hold_until = book.billed_usd(name, now), book.hold_until(name, terms)
        orders = plan(now, machines, need, terms, spent_usd, hold_until=hold_until)
        book.note(now, orders, name)
        leaving = {order.name for order in orders if order.verb in {"drain", "stop", "delete"}}
        report.addresses += sorted(m.address for m in machines if m.address and not m.going and m.name not in leaving)
        return orders

    async def _remove(self, plans: Mapping[str, Sequence[Order]], report: Report) -> None:
        """Everything but starts, at once: one slow call must not hold up the others."""
        orders = [(fleet, order) for fleet, orders in plans.items() for order in orders if order.verb != "start"]
        report.steps += await asyncio.gather(*(self._step(fleet, order) for fleet, order in orders))

    async def _step(self, fleet: str, order: Order) -> Step:
        acts = {"stop": self._machines.stop, "delete": self._machines.delete}
        try:
            if order.verb in acts:
                await acts[order.verb](order.name)
        except SpillwayError as error:
            return Step(fleet, order, str(error))
        return Step(fleet, order)

    async def _start(self, name: str, fleet: Fleet | None, orders: Sequence[Order], book: Book, report: Report) -> None:
        for order in orders:
            if order.verb == "start" and fleet is not None:
                report.steps.append(await self._create(name, fleet, order, book))

    async def _create(self, name: str, fleet: Fleet, order: Order, book: Book) -> Step:
        now = self._epoch()
        machine = machine_name(self._deployment, name, now, self._random)
        book.ask(machine, name, now, fleet.terms.usd_per_hour)
        await self._keep(book.write())
        named = Order("start", order.reason, machine)
        try:
            await self._machines.create(machine, fleet.spec)
        except SpillwayError as error:
            return Step(name, named, str(error))
        return Step(name, named)

    def _sum_up(self, fleets: Mapping[str, Fleet], book: Book, report: Report) -> None:
        now = self._epoch()
        report.usd_today = {name: book.billed_usd(name, now) for name in _all(fleets, book)}
        report.usd_per_hour = sum(entry.usd_per_hour for entry in book.machines.values() if entry.until is None)
        for step in report.steps:
            if step.order.verb != "idle":
                log.info("%s %s: %s %s", step.order.verb, step.order.name, step.order.reason, step.error)


def _all(fleets: Mapping[str, Fleet], book: Book) -> list[str]:
    return sorted({*fleets, *book.fleets()})


# A route that is gone, or no longer bursts, wants none of its machines.
_UNWANTED = BurstTerms(machines=0, usd_per_hour=1.0, usd_per_day=0.0)
