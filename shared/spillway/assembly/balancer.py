"""Puts the balancer together: it reads the settings and names the adapters of its timed rounds."""

import os
import time
from collections.abc import Iterator, Mapping
from functools import partial
from random import Random

from spillway.adapters.compute_engine import ComputeEngine, metadata_token
from spillway.adapters.gateway_cli import GatewayCli
from spillway.adapters.http import HttpPool
from spillway.adapters.open_port import OpenPort
from spillway.adapters.replicate_deployments import ReplicateDeployments
from spillway.adapters.tensordock import TensorDock
from spillway.assembly.state import load_routes, open_store, refuse_passing_state
from spillway.domain.cloud_init import Secrets
from spillway.domain.proof import ProofTerms
from spillway.domain.routes import Fallback, Route, Routes
from spillway.domain.warm import WarmTerms
from spillway.errors import BadSettings
from spillway.ports.burst import Machines, Readiness
from spillway.ports.deployments import Deployments
from spillway.services.balancing import Balancing
from spillway.services.burst_scaling import BurstRoute, BurstScaler
from spillway.services.bursting import Bursting
from spillway.services.scaling import Keep, Scaler
from spillway.services.spending import Spending
from spillway.services.tallying import route_name
from spillway.services.warm_places import WarmPlace
from spillway.settings import Settings


def timed_rounds(settings: Settings) -> Balancing:
    """The balancer's rounds. Raises BadSettings; nothing is connected yet."""
    _check_store(settings)
    routes, store, pool = load_routes(settings), open_store(settings), HttpPool()
    providers = _providers(settings, routes, pool)
    return Balancing(
        store,
        list(_places(routes, providers)),
        providers,
        epoch=time.time,
        terms=_Terms(routes),
        budget=Spending(store, settings.fallback_usd_per_day, epoch=time.time),
        scalers=list(_scalers(settings, routes, pool)),
    )


def _check_store(settings: Settings) -> None:
    """The state is shared with the front door, so it must be where both can reach it."""
    if settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: the balancer shares its state with the front door, which memory:// can't")
    refuse_passing_state(settings)


def _scalers(settings: Settings, routes: Routes, pool: HttpPool) -> Iterator[Scaler]:
    """A scaler for each cloud that can be used, also where no route bursts any more: what it left is removed."""
    gateway = GatewayCli(pool, base_url=settings.subnet_cli_url) if settings.subnet_cli_url else None
    for cloud, machines in _clouds(settings, pool).items():
        wanted = [_burst_route(route) for route in routes if route.burst and route.burst.cloud == cloud]
        rounds = partial(_rounds, machines, gateway or OpenPort(), settings.deployment)
        yield BurstScaler(cloud, rounds, wanted, gateway.capacities if gateway else None)


def _rounds(machines: Machines, readiness: Readiness, deployment: str, keep: Keep) -> Bursting:
    return Bursting(machines, readiness, deployment=deployment, epoch=time.time, keep=keep, random=Random())


def _clouds(settings: Settings, pool: HttpPool) -> dict[str, Machines]:
    clouds: dict[str, Machines] = {}
    if settings.tensordock_api_token:
        token = settings.tensordock_api_token.get_secret_value()
        clouds["tensordock"] = TensorDock(
            pool, base_url=settings.tensordock_url, token=token, deployment=settings.deployment
        )
    if settings.compute_group:
        project, zone, group = settings.compute_group.split("/")
        clouds["compute-engine"] = ComputeEngine(
            pool, metadata_token(pool), project=project, zone=zone, group=group, deployment=settings.deployment
        )
    return clouds


def _burst_route(route: Route) -> BurstRoute:
    assert route.burst is not None  # noqa: S101 (asked only for those that have one)
    secrets = Secrets.read(route.burst.orchestrator, os.environ)
    return BurstRoute(route, route.burst, route.burst.spec(route.pipeline, route.model, secrets))


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
        usd_per_job=route.hosted_usd,
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
                    fallback.place, route_name(route), fallback.deployment, providers[fallback.provider],
                    _warm_terms(route, fallback), fallback.usd_per_job, always_warm=":" not in fallback.model,
                )  # fmt: skip


def _warm_terms(route: Route, fallback: Fallback) -> WarmTerms:
    return WarmTerms(
        usd_per_warm_second=fallback.usd_per_warm_second,
        cold_start_s=fallback.cold_start,
        usd_per_second=route.usd_per_second,
        service_s=route.usual_s,
        max_instances=fallback.max_instances,
        billed=fallback.billed,
    )
