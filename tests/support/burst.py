"""Both clouds' stand-ins with the adapter on top, and rounds over them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from simulator import Cloud, ComputeEngineApi, GatewayCliApi, TensorDockApi
from spillway.adapters.compute_engine import ComputeEngine, metadata_token
from spillway.adapters.gateway_cli import GatewayCli
from spillway.adapters.http import HttpPool
from spillway.adapters.tensordock import TensorDock
from spillway.domain.burst import BurstTerms, Hardware, Need
from spillway.domain.cloud_init import Secrets
from spillway.domain.machine_names import fleet_of, machine_name
from spillway.ports.burst import Machines
from spillway.services.bursting import Bursting, Fleet, Report
from spillway.services.scaling import State

PIPELINE, MODEL = "text-to-image", "stabilityai/sdxl-turbo"
FLEET = fleet_of(PIPELINE, MODEL)
TERMS = BurstTerms(
    machines=2, usd_per_hour=0.5, usd_per_day=2.0, round_s=120.0, hardware=Hardware(ssh_key="ssh-ed25519 AAAA")
)
SPEC = TERMS.spec(PIPELINE, MODEL, Secrets())
CLOUDS = ("tensordock", "compute-engine")
Api = TensorDockApi | ComputeEngineApi


def new_name(cloud: Cloud, seed: int = 1, deployment: str = "prod") -> str:
    """A name for a machine asked for now."""
    return machine_name(deployment, FLEET, cloud.now(), Random(seed))


@asynccontextmanager
async def rented(kind: str, *, try_s: float = 0.3, call_s: float = 1.0) -> AsyncIterator[tuple[Api, Machines]]:
    """A stand-in and the adapter that talks to it."""
    api = TensorDockApi("td_test") if kind == "tensordock" else ComputeEngineApi()
    pool = HttpPool()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pool.aclose)
        await stack.enter_async_context(api.serve())
        yield api, adapter(api, pool, try_s=try_s, call_s=call_s)


def adapter(api: Api, pool: HttpPool, *, try_s: float = 0.3, call_s: float = 1.0) -> Machines:
    """The product's side of a stand-in."""
    more: dict[str, Any] = {"base_url": api.url, "deployment": "prod", "try_s": try_s, "call_s": call_s}
    if isinstance(api, TensorDockApi):
        return TensorDock(pool, token=api.token, **more)
    token = metadata_token(pool, api.url)
    return ComputeEngine(pool, token, project="project", zone="zone", group="burst", **more)


@dataclass
class Rounds:
    """A balancer's rounds: what it keeps is kept, what it is killed before keeping is lost."""

    api: Api
    gateway: GatewayCliApi
    bursting: Bursting
    terms: BurstTerms = TERMS
    kept: State = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)

    @property
    def cloud(self) -> Cloud:
        """The rented machines."""
        return self.api.cloud

    async def round(self, need: Need, *, wanted: bool = True) -> Report:
        """One round, after the gateway has found what serves; its state is kept."""
        self.gateway.slots = {f"{machine.address}:8935": 1 for machine in self.cloud.serving()}
        if need.since is not None:
            need = replace(need, since=self.cloud.now() - need.since)
        fleets = {FLEET: Fleet(self.terms, need, SPEC)} if wanted else {}
        self.kept, report = await self.bursting.round(fleets, self.kept)
        self.reports.append(report)
        return report

    async def rounds(self, count: int, need: Need, *, pause_s: float = 60.0) -> None:
        """Rounds with time between them."""
        for _ in range(count):
            await self.round(need)
            self.cloud.skip(pause_s)


@asynccontextmanager
async def balancing(
    kind: str, *, terms: BurstTerms = TERMS, within_s: float = 5.0, try_s: float = 0.3, call_s: float = 1.0
) -> AsyncIterator[Rounds]:
    """Rounds over one cloud."""
    gateway, pool = GatewayCliApi(model=MODEL), HttpPool()
    async with rented(kind, try_s=try_s, call_s=call_s) as (api, machines), gateway.serve(), aclosing(pool):

        async def keep(state: State) -> None:
            there.kept = state

        bursting = Bursting(
            machines,
            GatewayCli(pool, base_url=gateway.url, try_s=try_s, call_s=call_s),
            deployment="prod",
            epoch=api.cloud.now,
            keep=keep,
            random=Random(7),
            within_s=within_s,
        )
        there = Rounds(api, gateway, bursting, terms)
        yield there
