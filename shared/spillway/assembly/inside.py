"""What answers requests and runs jobs: routes, backends, money, records and results, put together once a process."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spillway.adapters.http import CarryingPool, HttpPool
from spillway.adapters.media_http import HttpMedia
from spillway.adapters.media_inspector import MediaInspector
from spillway.adapters.prometheus import Metrics
from spillway.adapters.subnet_gateway import SubnetGateway
from spillway.assembly.hosting import hosting
from spillway.assembly.state import load_routes, open_artifacts, open_store
from spillway.assembly.telemetry import open_tracing
from spillway.domain.guidance import ByModel
from spillway.domain.routes import Route, Routes
from spillway.ports import Artifacts, Inference, Ledger, Media, Served
from spillway.ports.running import Predictions
from spillway.ports.store import Store
from spillway.services.backends import Backends
from spillway.services.budgets import Budgets
from spillway.services.chronicling import Chronicling
from spillway.services.exchange import Capacities, Exchange
from spillway.services.gates import Gates
from spillway.services.keeping import Keeper
from spillway.services.keyring import Keyring
from spillway.services.rates import Rates
from spillway.services.status import Status
from spillway.services.tallying import Tallying
from spillway.settings import Settings

if TYPE_CHECKING:
    from spillway.adapters.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Inside:
    """All of it. `pool` leads to what is configured, `public` to what callers name.

    `predictions` loads the clients of hosted inference.
    """

    settings: Settings
    routes: Routes
    store: Store
    keyring: Keyring
    rates: Rates
    backends: Backends
    predictions: Callable[[], Mapping[str, Predictions]]
    keeper: Keeper
    artifacts: Artifacts
    media: Media
    status: Status
    chronicling: Chronicling
    metrics: Metrics
    tracing: "Tracing | None"
    pool: HttpPool
    public: HttpPool

    async def close(self) -> None:
        """Finish what goes on beside requests, and let go of connections and files."""
        await asyncio.gather(self.backends.close(), self.keyring.close(), self.rates.close())
        await asyncio.gather(self.store.close(), self.artifacts.close())
        await asyncio.gather(self.pool.aclose(), self.public.aclose())
        if self.tracing:
            await asyncio.to_thread(self.tracing.close)


def inside(settings: Settings) -> Inside:
    """Raises BadSettings; nothing is connected yet."""
    routes, store = load_routes(settings), open_store(settings)
    tracing = open_tracing()
    pool, public = CarryingPool(tracing.carried) if tracing else HttpPool(), HttpPool(public_only=True)
    media, artifacts = _media(settings, routes, pool, public), open_artifacts(settings)
    status, metrics = Status(time.time), Metrics()
    tallying, chronicling = Tallying(routes, epoch=time.time), Chronicling(routes, epoch=time.time)
    by_model = ByModel()
    hosted = hosting(settings, routes, pool, media, by_model)
    subnet: Inference[Route] | None = SubnetGateway(settings.subnet_url, pool) if settings.subnet_url else None
    if tracing:
        subnet = tracing.backend(subnet, "subnet") if subnet else None
        hosted.inference = {name: tracing.backend(one, name) for name, one in hosted.inference.items()}
    keyring = Keyring(store, epoch=time.time, monotonic=time.monotonic)
    rates, gates = Rates(store, epoch=time.time), Gates(time.monotonic, Random())
    backends = Backends(
        routes=routes,
        subnet=subnet,
        hosted=hosted.inference,
        gates=gates,
        exchange=Exchange(
            store,
            gates,
            [tallying, chronicling],
            epoch=time.time,
            capacities=_capacities(settings, pool),
            by_model=by_model,
        ),
        budget=Budgets(store, settings.fallback_usd_per_day, epoch=time.time, highest=keyring.highest),
        ledger=Ledgers([status, metrics, tallying, chronicling, *([tracing] if tracing else [])]),
        monotonic=time.monotonic,
        epoch=time.time,
    )
    keeper = Keeper(media, MediaInspector(), artifacts, verify=settings.verify == "decode")
    return Inside(
        settings,
        routes,
        store,
        keyring,
        rates,
        backends,
        hosted.predictions,
        keeper,
        artifacts,
        media,
        status,
        chronicling,
        metrics,
        tracing,
        pool,
        public,
    )


class Ledgers:
    """Several ledgers as one."""

    def __init__(self, ledgers: Iterable[Ledger]):
        self._ledgers = tuple(ledgers)

    def record(self, served: Served) -> None:
        """Write into each."""
        for ledger in self._ledgers:
            ledger.record(served)


def _capacities(settings: Settings, pool: HttpPool) -> Capacities | None:
    if settings.subnet_cli_url is None:
        return None
    from spillway.adapters.gateway_cli import GatewayCli  # noqa: PLC0415 (only where there is one)

    return GatewayCli(pool, base_url=settings.subnet_cli_url).capacities


def _media(settings: Settings, routes: Routes, pool: HttpPool, public: HttpPool) -> Media:
    bases = [
        settings.subnet_url,
        settings.replicate_url,
        *(provider.base_url for provider in routes.providers.values()),
    ]
    trusted = [host for base in bases if base and (host := urlsplit(base).hostname)]
    return HttpMedia(pool, public, trusted=trusted, allow_private=settings.allow_private_urls)
