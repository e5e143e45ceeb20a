"""Burst orchestrators as a part of the balancer's round: what each route lacks decides what is rented for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spillway.domain.burst import BurstTerms, MachineSpec, Need
from spillway.domain.machine_names import fleet_of
from spillway.domain.routes import Route
from spillway.errors import Overflow
from spillway.services.bursting import Bursting, Fleet, Report
from spillway.services.exchange import Capacities
from spillway.services.scaling import Keep, Outlook, State
from spillway.services.tallying import route_name
from spillway.services.warm_places import Change

Rounds = Callable[[Keep], Bursting]


@dataclass(frozen=True, slots=True)
class BurstRoute:
    """A route for which machines may be rented, and how one is made."""

    route: Route
    terms: BurstTerms
    spec: MachineSpec


class BurstScaler:
    """Adapter of scaling.Scaler for one cloud. `rounds` makes the rounds over a way to keep their state, `capacities`
    asks the gateway for its orchestrators' slots, where it can be asked.
    """

    def __init__(self, name: str, rounds: Rounds, routes: Sequence[BurstRoute], capacities: Capacities | None = None):
        self.name = name
        self._rounds, self._routes, self._capacities = rounds, routes, capacities

    async def round(self, outlook: Outlook, state: Mapping[str, Any], keep: Keep) -> tuple[State, list[Change]]:
        """One round over the machines of this cloud; those of routes that no longer burst are removed."""
        slots = await self._slots()
        fleets = {
            fleet_of(one.route.pipeline, one.route.model): Fleet(one.terms, _need(one.route, outlook, slots), one.spec)
            for one in self._routes
        }
        kept, report = await self._rounds(keep).round(fleets, state)
        return {**kept, "addresses": report.addresses}, list(_changes(report))

    async def _slots(self) -> Mapping[tuple[str, str], int]:
        """By pipeline and model; nothing where the gateway doesn't tell."""
        try:
            return await self._capacities() if self._capacities and self._routes else {}
        except Overflow:
            return {}


def _need(route: Route, outlook: Outlook, slots: Mapping[tuple[str, str], int]) -> Need:
    lack, capacity = outlook.history.lack(route_name(route), outlook.now), slots.get((route.pipeline, route.model))
    free = None if capacity is None or lack.busy_slots is None else max(0.0, capacity - lack.busy_slots)
    return Need(
        refused_per_s=lack.refused_per_s,
        since=lack.since,
        overflow_per_s=lack.overflow_per_s,
        usd_per_job=route.hosted_usd,
        service_s=lack.job_s or route.usual_s,
        free_slots=free,
    )


def _changes(report: Report) -> list[Change]:
    """What was ordered, for the balancer's log; the problems too, as nobody else would see them."""
    ordered = [
        Change(
            step.fleet, f"machine {step.order.name}", "", step.order.verb, f"{step.order.reason} {step.error}".strip()
        )
        for step in report.steps
        if step.order.verb != "idle"
    ]
    return [*ordered, *(Change("machines", "problem", "", "", problem) for problem in report.problems)]
