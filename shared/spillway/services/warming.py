"""Warm instances of hosted deployments: which way each is used, how many are kept, what they may cost, and doing it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from spillway.domain.guidance import DEPLOYMENT, MODEL
from spillway.domain.tally import Usage
from spillway.domain.warm import WarmRule
from spillway.domain.warm_bill import Bill, Standing, read_bill
from spillway.errors import SpillwayError
from spillway.ports import Clock
from spillway.ports.deployments import Deployments, Scale
from spillway.services.warm_places import Change, Keeping, WarmPlace, measured, read_keeping, tell

BETTER = 0.9
PATCH_S = 30.0


class Budget(Protocol):
    """The day's money for everything hosted; what is reserved is spent."""

    async def prepare(self, usd: float, priority: int = 0) -> None:
        """Have so much ready, where there is so much."""
        ...

    def reserve(self, usd: float, now: float, priority: int = 0) -> object | None:
        """Set it aside; None where the day's money does not hold it."""
        ...


class Warming:
    """All places of one round: `look`, `decide`, store `body`, then `carry_out`. Only the last changes anything."""

    def __init__(self, places: Sequence[WarmPlace], state: Mapping[str, Any], epoch: Clock):
        self._epoch = epoch
        self._places = {place.name: place for place in places}
        kept = state.get("places")
        kept = kept if isinstance(kept, dict) else {}
        self.keepings = {name: read_keeping(kept.get(name, {})) for name in self._places}
        self.bill: Bill = read_bill(state.get("bill", {}), epoch())
        self.changes: list[Change] = []
        self.problems: list[str] = []
        self._found: dict[str, Scale | None] = {}

    def body(self) -> dict[str, Any]:
        """What the next round is given as `state`."""
        return {"places": {name: one.body() for name, one in self.keepings.items()}, "bill": self.bill.body()}

    async def look(self, providers: Mapping[str, Deployments]) -> None:
        """Ask the providers how it is. `providers` by name find deployments of routes that are gone."""
        names = list({**self._places, **self.bill.standings})
        found = await asyncio.gather(*(self._scale(name, providers) for name in names))
        self._found = dict(zip(names, found, strict=True))

    async def _scale(self, name: str, providers: Mapping[str, Deployments]) -> Scale | None:
        try:
            return await _deployments(name, self._places, providers).scale(self._deployment(name))
        except SpillwayError as error:
            self.problems.append(f"{name}: its instances can't be told: {error}")
            return None

    def _deployment(self, name: str) -> str:
        place = self._places.get(name)
        return place.deployment if place else self.bill.standings[name].deployment

    async def decide(
        self, tallies: Mapping[str, Mapping[str, Any]], total: Mapping[str, Usage], budget: Budget | None
    ) -> None:
        """How many to keep at each place from now on; the bill counts them from here, whatever is done about it."""
        now = self._epoch()
        self.bill.count(now)
        for name, place in self._places.items():
            keeping = self.keepings[name]
            rule = WarmRule.read(measured(place.terms, total.get(name)), keeping.rule, now)
            tell(rule, keeping, name, tallies, now)
            wanted = rule.wanted(now)
            self._choose_way(place, keeping, rule, now)
            keeping.rule = rule.write()
            if keeping.way == MODEL:
                wanted, why = 0, keeping.way_why
            else:
                why = rule.reason
            self._see(name, place.deployment, place.terms.usd_per_warm_second, place.terms.max_instances)
            keeping.least, keeping.why = await self._paid(name, wanted, why, now, budget)
        for name in self.bill.standings.keys() - self._places.keys():
            self._see(name, self._deployment(name), self.bill.standings[name].usd_per_s, 0)

    def _see(self, name: str, deployment: str, usd_per_s: float, at_worst: int) -> None:
        """What the provider says is how it is; where it never said anything, it may be the worst."""
        standing = self.bill.standings.setdefault(name, Standing(deployment, at_worst, usd_per_s))
        standing.deployment, standing.usd_per_s = deployment, usd_per_s
        found = self._found.get(name)
        if found is not None:
            standing.most_warm = found.least

    def _choose_way(self, place: WarmPlace, keeping: Keeping, rule: WarmRule, now: float) -> None:
        before = keeping.way
        deployed, official = rule.meter.usd(now, rule.terms, place.usd_per_job)
        if not place.always_warm:
            keeping.way, keeping.way_why = DEPLOYMENT, "its model alone is not always warm"
            return
        told = f"a job costs {deployed:.4f} USD on the deployment with waiting, {official:.4f} on the always-warm model"
        if not before or rule.meter.jobs.read(now) < 1:
            keeping.way, keeping.way_why = (
                before or MODEL,
                "no jobs to tell by: the always-warm model costs nothing idle",
            )
        elif before == MODEL and deployed < BETTER * official:
            keeping.way, keeping.way_why = DEPLOYMENT, told
        elif before == DEPLOYMENT and official < BETTER * deployed:
            keeping.way, keeping.way_why = MODEL, told
        else:
            keeping.way_why = told
        if before and before != keeping.way:
            self.changes.append(Change(place.name, "way", before, keeping.way, told))

    async def _paid(self, name: str, wanted: int, why: str, now: float, budget: Budget | None) -> tuple[int, str]:
        """As many of them as the day's money holds."""
        for least in range(wanted, -1, -1):
            lacking = self.bill.lacking_usd(now, name, least)
            if budget is None or lacking <= 0 or await _reserved(budget, lacking, now):
                self.bill.reserve(now, lacking)
                return least, why if least == wanted else f"{why}; the day's money holds only {least}"
        return 0, why if wanted == 0 else f"{why}; the day's money holds none"

    def orders(self) -> dict[str, Scale]:
        """What has to be asked for. The bill counts the most of what is and what is asked for from now on."""
        orders, now = {}, self._epoch()
        for name, standing in self.bill.standings.items():
            found, keeping = self._found.get(name), self.keepings.get(name)
            wanted = self._wanted(name, found)
            if wanted is None or wanted == found or (keeping and 0 <= now - keeping.ordered_at < PATCH_S):
                continue
            standing.most_warm = max(standing.most_warm, wanted.least)
            orders[name] = wanted
            if keeping:
                keeping.ordered_at = now
        return orders

    def _wanted(self, name: str, found: Scale | None) -> Scale | None:
        if place := self._places.get(name):
            least = self.keepings[name].least
            return Scale(least, max(1, least, place.terms.max_instances))
        return Scale(0, found.most) if found and found.least else None

    async def carry_out(self, orders: Mapping[str, Scale], providers: Mapping[str, Deployments]) -> None:
        """Ask for it, all at once; what fails is asked for again in the next round."""
        await asyncio.gather(*(self._order(name, scale, providers) for name, scale in orders.items()))
        for name in self.bill.standings.keys() - self._places.keys():
            if not self.bill.standings[name].most_warm:
                del self.bill.standings[name]

    async def _order(self, name: str, scale: Scale, providers: Mapping[str, Deployments]) -> None:
        found, error = None, ""
        try:
            found = await _deployments(name, self._places, providers).set_scale(self._deployment(name), scale)
        except SpillwayError as failure:
            error = str(failure)
        # Until now there may have been as many as before.
        self.bill.count(self._epoch())
        if found is not None and found.least == scale.least:
            self.bill.standings[name].most_warm = scale.least
        elif found is not None:
            error = f"it says it was done, but there are {found.least}"
        before = self._found.get(name)
        why = self.keepings[name].why if name in self.keepings else "its route is gone"
        if error or before is None or before.least != scale.least:
            told = "?" if before is None else str(before.least)
            self.changes.append(Change(name, "least", told, str(scale.least), why, error))


class _Nobody:
    """Deployments of a provider that is no longer configured."""

    async def scale(self, name: str) -> Scale:
        raise SpillwayError("its provider is not configured")

    async def set_scale(self, name: str, scale: Scale) -> Scale:
        raise SpillwayError("its provider is not configured")


def _deployments(name: str, places: Mapping[str, WarmPlace], providers: Mapping[str, Deployments]) -> Deployments:
    place = places.get(name)
    return place.deployments if place else providers.get(name.partition(" ")[0], _Nobody())


async def _reserved(budget: Budget, usd: float, now: float) -> bool:
    if budget.reserve(usd, now) is not None:
        return True
    await budget.prepare(usd)
    return budget.reserve(usd, now) is not None
