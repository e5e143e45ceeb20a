"""Burst orchestrators as a part of the balancer's round: what each route lacks decides what is rented for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spillway.domain.burst import BurstTerms, MachineSpec, Need
from spillway.domain.machine_names import fleet_of
from spillway.domain.routes import Route
from spillway.services.balancing import Keep, Outlook, State
from spillway.services.bursting import Bursting, Fleet, Report
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
    """Adapter of balancing.Scaler for one cloud. `rounds` makes the rounds over a way to keep their state."""

    def __init__(self, name: str, rounds: Rounds, routes: Sequence[BurstRoute]):
        self.name = name
        self._rounds, self._routes = rounds, routes

    async def round(self, outlook: Outlook, state: Mapping[str, Any], keep: Keep) -> tuple[State, list[Change]]:
        """One round over the machines of this cloud; those of routes that no longer burst are removed."""
        fleets = {
            fleet_of(one.route.pipeline, one.route.model): Fleet(one.terms, _need(one.route, outlook), one.spec)
            for one in self._routes
        }
        kept, report = await self._rounds(keep).round(fleets, state)
        return {**kept, "addresses": report.addresses}, list(_changes(report))


def _need(route: Route, outlook: Outlook) -> Need:
    lack = outlook.history.lack(route_name(route), outlook.now)
    return Need(
        refused_per_s=lack.refused_per_s,
        since=lack.since,
        overflow_per_s=lack.overflow_per_s,
        usd_per_job=route.fallbacks[0].usd_per_job if route.fallbacks else 0.0,
        service_s=route.usual_s,
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
