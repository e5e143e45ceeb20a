"""An operator's orders over the policy, and what all instances say of it: `spillway policy show|set|reset`."""

from collections.abc import Collection
from typing import Any

from spillway.domain.guidance import read_guidance
from spillway.domain.overrides import Override, from_document
from spillway.domain.peers import Report, read_report
from spillway.domain.routes import Routes
from spillway.errors import BadSettings
from spillway.ports.store import Store
from spillway.services.exchange import BALANCER, OVERRIDES, REPORTS, TARGETS

ALL = "all"
"""In place of a route: every pipeline with every model."""


class Orders:
    """Orders by route: `PIPELINE`, `PIPELINE MODEL` or `all`. They reach each instance with its next exchange."""

    def __init__(self, store: Store, routes: Routes):
        self._store, self._routes = store, routes

    async def set(self, route: str, override: Override) -> str:
        """Give an order; its route's full name. Raises BadSettings for a route that there is none of."""
        name = self._known(route)
        names = self._pipelines if name == ALL else [name]
        for one in names:
            await self._store.write(OVERRIDES, one, {"mode": override.mode, "max_share": override.max_share})
        if name == ALL:
            await self._forget(but=names)
        return name

    async def reset(self, route: str) -> str:
        """Take an order back."""
        name = self._known(route)
        if name == ALL:
            await self._forget()
        else:
            await self._store.delete(OVERRIDES, name)
        return name

    async def show(self) -> dict[str, Any]:
        """Orders, the last that each instance has told, by route, and the balancer's latest word."""
        orders, reports = await self._store.list(OVERRIDES), await self._store.list(REPORTS)
        balancer = await self._store.read(BALANCER, TARGETS)
        told: dict[str, dict[str, Any]] = {}
        for report in reports:
            gates = report.body.get("gates")
            for name, gate in gates.items() if isinstance(gates, dict) else ():
                if known := read_report(gate):
                    told.setdefault(name, {})[report.key] = _summary(known, gate, report.updated)
        in_force = {one.key: from_document(one.body) for one in orders}
        return {
            "orders": {name: {"mode": one.mode, "max_share": one.max_share} for name, one in in_force.items()},
            "routes": {name: {"instances": told[name]} for name in sorted(told)},
            "balancer": read_guidance(balancer.body if balancer else {}).body(),
        }

    async def _forget(self, but: Collection[str] = ()) -> None:
        for order in await self._store.list(OVERRIDES):
            if order.key not in but:
                await self._store.delete(OVERRIDES, order.key)

    @property
    def _pipelines(self) -> list[str]:
        return sorted({one.pipeline for one in self._routes})

    def _known(self, route: str) -> str:
        name = " ".join(route.split())
        if name != ALL and name.split(" ")[0] not in self._pipelines:
            known = ", ".join([*self._pipelines, ALL])
            raise BadSettings(f"--route {route}: there is no route of that pipeline; use one of {known}")
        return name


def _summary(report: Report, gate: dict[str, Any], told_at: float) -> dict[str, Any]:
    """What makes no sense in it is left out: anybody may have written it."""
    up, reasons, changes = gate.get("up"), gate.get("reasons"), gate.get("changes")
    return {
        "told_at": told_at,
        "up": up if isinstance(up, bool) else None,
        "limit": round(sum(count * p for count, p in enumerate(report.slots)), 2),
        "job_seconds": report.job_s[0],
        "refusal_seconds": report.refusal_s,
        "reasons": {
            name: count for name, count in (reasons.items() if isinstance(reasons, dict) else ()) if type(count) is int
        },
        "changes": [one for one in (changes if isinstance(changes, list) else ()) if _is_change(one)],
    }


def _is_change(one: Any) -> bool:
    if not isinstance(one, dict) or not one.keys() >= {"cause", "up", "limit", "seconds_ago"}:
        return False
    order = one.get("order", {"mode": "", "max_share": 0.0})
    return isinstance(order, dict) and "mode" in order and isinstance(order.get("max_share"), int | float)
