"""Puts the balancer together: it reads the settings and names the adapters of its timed rounds."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from spillway.adapters.http import HttpPool
from spillway.adapters.replicate_deployments import ReplicateDeployments
from spillway.assembly import load_routes
from spillway.domain.proof import ProofTerms
from spillway.domain.routes import Fallback, Route, Routes
from spillway.domain.warm import WarmTerms
from spillway.errors import BadSettings
from spillway.ports.deployments import Deployments
from spillway.ports.store import Store
from spillway.services.balancing import Balancing
from spillway.services.spending import Spending
from spillway.services.tallying import place_name, route_name
from spillway.services.warm_places import WarmPlace
from spillway.settings import Settings


def balancer(settings: Settings) -> Balancing:
    """The timed rounds. Raises BadSettings; nothing is connected yet."""
    if settings.push_audience is not None:
        raise BadSettings(
            "SPILLWAY_PUSH_AUDIENCE: tokens are not checked in this release; unset it, and let only the scheduler's "
            "account invoke this function"
        )
    routes, store, pool = load_routes(settings), _store(settings), HttpPool()
    providers = _providers(settings, routes, pool)
    return Balancing(
        store,
        list(_places(routes, providers)),
        providers,
        epoch=time.time,
        terms=_Terms(routes),
        budget=Spending(store, settings.fallback_usd_per_day, epoch=time.time),
    )


class _Terms:
    """The terms of proof of a route, out of its prices."""

    def __init__(self, routes: Routes):
        self._by_name = {route_name(route): _proof_terms(route) for route in routes}

    def __call__(self, name: str) -> ProofTerms:
        return self._by_name.get(name, ProofTerms())


def _proof_terms(route: Route) -> ProofTerms:
    return ProofTerms.of_prices(
        usd_per_try=route.usd_per_try,
        usd_per_second=route.usd_per_second,
        lost_s=route.subnet_timeout / 4,
        usd_per_job=route.fallbacks[0].usd_per_job if route.fallbacks else 0.0,
    )


def _providers(settings: Settings, routes: Routes, pool: HttpPool) -> dict[str, Deployments]:
    """The providers whose deployments can be scaled."""
    if settings.replicate_api_token is None:
        return {}
    token = settings.replicate_api_token.get_secret_value()
    replicate = ReplicateDeployments(pool, base_url=settings.replicate_url, token=token)
    return {name: replicate for name, provider in routes.providers.items() if provider.kind == "replicate"}


def _places(routes: Routes, providers: Mapping[str, Deployments]) -> Iterator[WarmPlace]:
    for route in routes:
        for fallback in route.fallbacks:
            if fallback.deployment and fallback.provider in providers:
                yield WarmPlace(
                    place_name(fallback), route_name(route), fallback.deployment, providers[fallback.provider],
                    _warm_terms(route, fallback), fallback.usd_per_job, always_warm=":" not in fallback.model,
                )  # fmt: skip


def _warm_terms(route: Route, fallback: Fallback) -> WarmTerms:
    return WarmTerms(
        usd_per_warm_second=getattr(fallback, "usd_per_warm_second", 0.001),
        cold_start_s=getattr(fallback, "cold_start", 60.0),
        usd_per_second=route.usd_per_second,
        service_s=route.subnet_timeout / 5,
        max_instances=getattr(fallback, "max_instances", 4),
        billed=getattr(fallback, "billed", "online"),
    )


def _store(settings: Settings) -> Store:
    place = urlsplit(settings.state)
    if place.scheme == "memory":
        raise BadSettings("SPILLWAY_STATE: the balancer shares its state with the front door, which memory:// can't")
    if place.scheme == "sqlite":
        from spillway.adapters.sqlite_store import SqliteStore  # noqa: PLC0415 (by scheme)

        if os.environ.get("K_SERVICE"):
            raise BadSettings("SPILLWAY_STATE: sqlite:// is of one machine; set firestore://PROJECT/DATABASE")
        return SqliteStore(Path(settings.state.removeprefix("sqlite:///")))
    from spillway.adapters.firestore_store import FirestoreStore  # noqa: PLC0415 (by scheme)

    return FirestoreStore(place.netloc, place.path.strip("/") or "(default)")
