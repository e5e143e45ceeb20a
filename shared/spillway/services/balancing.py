"""One timed round over what all instances published: proofs and target shares, warm instances, what else is scaled.

A round may be cut off anywhere, be repeated, or run beside another one: a lease keeps the second away, and the state
is replaced only over the version that was read. It is stored before anything is ordered, so that what is ordered is
on the bill whatever becomes of the round; how things are is asked anew by each round, and what is not as it should be
is ordered again. So nothing has to be undone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spillway.domain.budget import WRONG_S
from spillway.domain.history import History, read_history
from spillway.domain.proof import ProofTerms, Target, proofs, read_target, step
from spillway.domain.tally import FOLDER as TALLIES
from spillway.domain.tally import RETIRED, Tally, folded, merged, to_retire
from spillway.errors import Conflict, SpillwayError
from spillway.ports import Clock
from spillway.ports.deployments import Deployments, Scale
from spillway.ports.store import Store
from spillway.services.archive import Archive
from spillway.services.exchange import BALANCER, TARGETS
from spillway.services.leases import Lease
from spillway.services.scaling import Outlook, Scaler, State
from spillway.services.warm_places import Change, WarmPlace
from spillway.services.warming import Budget, Warming

log = logging.getLogger("spillway.balancing")

STATE, HISTORY, LEASE = "state", "history", "lease"
VERSION = 1
WITHIN_S = 50.0
CHANGES_KEPT = 200
BLIND_ROUNDS = 3
KINDS: Mapping[str, type] = {"changes": list, "scalers": dict, "targets": dict, "warm": dict}


@dataclass(slots=True)
class Report:
    """What a round did. `skipped` says why there was none; `problems` kept it from being whole."""

    skipped: str = ""
    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    targets: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """For the caller of the function and for people."""
        return asdict(self)


class Balancing:
    """The rounds. `terms` gives a route's terms of proof; `budget` is the day's money for everything hosted."""

    def __init__(
        self,
        store: Store,
        places: Sequence[WarmPlace],
        providers: Mapping[str, Deployments],
        *,
        epoch: Clock,
        terms: Callable[[str], ProofTerms] = lambda _: ProofTerms(),
        budget: Budget | None = None,
        scalers: Sequence[Scaler] = (),
        within_s: float = WITHIN_S,
    ):
        self._store, self._places, self._providers = store, places, providers
        self._epoch, self._terms, self._budget = epoch, terms, budget
        self._scalers, self._within_s = scalers, within_s
        self._blind = 0

    async def round(self) -> Report:
        """One round, in bounded time. Never raises for what is outside: it is in the report, and in the next round."""
        report = Report()
        lease = Lease(self._store, BALANCER, LEASE, epoch=self._epoch)
        try:
            async with asyncio.timeout(self._within_s) as limit:
                if not await lease.take():
                    report.skipped = "another round is under way"
                elif abs(lease.off_s) > WRONG_S:
                    report.problems.append(f"this clock is {-lease.off_s:+.0f} s off the store's: nothing is done")
                else:
                    await _Round(self, report).run()
                self._blind = 0
        except TimeoutError:
            if not limit.expired():
                raise
            report.problems.append(f"the round was cut off after {self._within_s:g} s")
        except Conflict as error:
            report.problems.append(str(error))
        except SpillwayError as error:
            report.problems.append(str(error))
            await self._let_go(report)
        await lease.leave()
        _tell(report)
        return report

    async def _let_go(self, report: Report) -> None:
        """Without the store nobody counts the bill: after some rounds of that, nothing is kept warm."""
        self._blind += 1
        if self._blind < BLIND_ROUNDS:
            return
        for place in self._places:
            try:
                await place.deployments.set_scale(place.deployment, Scale(0, max(1, place.terms.max_instances)))
            except SpillwayError as error:
                report.problems.append(f"{place.name}: {error}")


class _Round:
    def __init__(self, balancing: Balancing, report: Report):
        self._all, self._report = balancing, report
        self._store, self._epoch = balancing._store, balancing._epoch
        self._state: State = {}
        self._version: str | None = None

    async def run(self) -> None:
        documents = {one.key: one.body for one in await self._store.list(TALLIES)}
        total, now = merged(documents), self._epoch()
        found = await self._store.read(BALANCER, STATE)
        self._state, self._version = _understood(found.body if found else {}), found.version if found else None
        history = await self._history(total, now)
        routes = self._targets(history, now)
        warming = Warming(self._all._places, self._state.get("warm", {}), self._epoch)
        await self._warm(warming, documents, total)
        await self._scale_others(Outlook(now, history, total))
        await self._publish(routes, warming, now)
        await self._retire(documents, now)
        await Archive(self._store, self._epoch).sum_up()

    async def _history(self, total: Tally, now: float) -> History:
        found = await self._store.read(BALANCER, HISTORY)
        history = read_history(found.body if found else {})
        history.add(now, total)
        await self._store.write(BALANCER, HISTORY, history.body())
        return history

    def _targets(self, history: History, now: float) -> dict[str, Any]:
        """The target shares, stepped; what is published of each route."""
        kept, told = self._state.setdefault("targets", {}), {}
        for route in history.routes():
            terms, samples = self._all._terms(route), history.samples(route)
            before = read_target(kept.get(route, {}), terms)
            target = step(before, samples, now, terms)
            if target.share != before.share:
                self._report.changes.append(_share_change(route, before, target))
            kept[route] = target.body()
            told[route] = {
                "target": target.share,
                "since": target.since,
                "why": target.reason,
                "proofs": proofs(samples, now),
            }
        return told

    async def _warm(self, warming: Warming, documents: Mapping[str, Mapping[str, Any]], total: Tally) -> None:
        providers = self._all._providers
        await warming.look(providers)
        await warming.decide(documents, total.hosted, self._all._budget)
        orders = warming.orders()
        await self._keep_warm(warming)
        try:
            await warming.carry_out(orders, providers)
        finally:
            self._report.changes += warming.changes
            self._report.problems += warming.problems
        await self._keep_warm(warming)

    async def _keep_warm(self, warming: Warming) -> None:
        self._state["warm"] = warming.body()
        await self._keep()

    async def _keep(self) -> None:
        """Raises Conflict where another round has stored a state meanwhile."""
        log_ = self._state.get("changes", [])
        body = {**self._state, "version": VERSION, "changes": [*log_, *self._told()][-CHANGES_KEPT:]}
        kept = await self._store.replace(BALANCER, STATE, body, self._version)
        self._version = kept.version

    def _told(self) -> list[dict[str, Any]]:
        return [{"at": self._epoch(), **asdict(change)} for change in self._report.changes]

    async def _scale_others(self, outlook: Outlook) -> None:
        """Each by itself: one that fails does not keep the next one from its round."""
        states = self._state.setdefault("scalers", {})
        for scaler in self._all._scalers:

            async def keep(state: State, name: str = scaler.name) -> None:
                states[name] = state
                await self._keep()

            try:
                states[scaler.name], changes = await scaler.round(outlook, states.get(scaler.name, {}), keep)
            except Conflict:
                raise
            except SpillwayError as error:
                self._report.problems.append(f"{scaler.name}: {error}")
            else:
                self._report.changes += changes
            await self._keep()

    async def _publish(self, routes: dict[str, Any], warming: Warming, now: float) -> None:
        """What front doors and people read."""
        places = {
            name: {"way": one.way, "way_why": one.way_why, "least": one.least, "why": one.why}
            for name, one in warming.keepings.items()
        }
        self._report.targets = {
            "version": VERSION,
            "at": now,
            "routes": routes,
            "places": places,
            "warm_usd_today": round(warming.bill.today_usd(now), 6),
        }
        await self._store.write(BALANCER, TARGETS, self._report.targets)

    async def _retire(self, documents: Mapping[str, Mapping[str, Any]], now: float) -> None:
        """Fold instances that are gone, then remove their documents; what is left of that is the next round's."""
        gone = to_retire(documents, now)
        if not gone:
            return
        found = await self._store.read(TALLIES, RETIRED)
        before = {**documents, RETIRED: found.body} if found else documents
        body = folded(before, gone, now)
        await self._store.replace(TALLIES, RETIRED, body, found.version if found else None)
        for key in gone:
            await self._store.delete(TALLIES, key)


def _understood(body: Mapping[str, Any]) -> State:
    """A state of another version is read as none: the providers are asked how things are in any case. So is a part of
    it that is not of its kind.
    """
    if body.get("version") != VERSION:
        return {}
    return {name: part for name, part in body.items() if isinstance(part, KINDS.get(name, object))}


def _share_change(route: str, before: Target, after: Target) -> Change:
    return Change(route, "target share", f"{before.share:.2f}", f"{after.share:.2f}", after.reason)


def _tell(report: Report) -> None:
    for change in report.changes:
        log.info("%s: %s %s -> %s: %s %s", *asdict(change).values())
    for problem in report.problems:
        log.warning("%s", problem)
