"""Puts the HTTP front door together."""

import asyncio
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from spillway.adapters.http import HttpPool
from spillway.adapters.media_http import HttpMedia
from spillway.adapters.media_inspector import MediaInspector
from spillway.adapters.prometheus import Metrics
from spillway.adapters.subnet_gateway import SubnetGateway
from spillway.assembly.state import load_routes, open_store
from spillway.domain.routes import Fallback, Routes
from spillway.edge.app import Beside, House, create_app
from spillway.edge.auth import Entrance, KeyedEntrance, OpenEntrance
from spillway.edge.bodies import Room
from spillway.errors import BadSettings
from spillway.ports import Artifacts, Inference, Ledger, Media, Served
from spillway.services.backends import Backends
from spillway.services.exchange import Capacities, Exchange
from spillway.services.gates import Gates
from spillway.services.inference import InferenceService
from spillway.services.keeping import Keeper
from spillway.services.keyring import Keyring
from spillway.services.spending import Spending
from spillway.services.status import Status
from spillway.services.tallying import Tallying
from spillway.settings import Settings

log = logging.getLogger("spillway")


def front_door(settings: Settings, *, beside: Iterable[Beside] = ()) -> ASGIApp:
    """The HTTP front door. Raises BadSettings; nothing is connected yet.

    `beside` runs for as long as the application does, where that has a processor between requests.
    """
    _check(settings)
    routes = load_routes(settings)
    pool, public = HttpPool(), HttpPool(public_only=True)
    media = _media(settings, routes, pool, public)
    artifacts = _artifacts(settings)
    status, metrics, tallying = Status(time.time), Metrics(), Tallying(routes, epoch=time.time)
    store, gates = open_store(settings), Gates(time.monotonic, Random())
    exchange = Exchange(store, gates, tallying, epoch=time.time, capacities=_capacities(settings, pool))
    keyring = Keyring(store, epoch=time.time, monotonic=time.monotonic)
    spending = Spending(store, settings.fallback_usd_per_day, epoch=time.time, highest=keyring.highest)
    hosted = _hosted(settings, routes, pool, media)
    backends = Backends(
        routes=routes,
        subnet=SubnetGateway(settings.subnet_url, pool) if settings.subnet_url else None,
        hosted=hosted,
        gates=gates,
        exchange=exchange,
        budget=spending,
        ledger=Ledgers([status, metrics, tallying]),
        monotonic=time.monotonic,
        epoch=time.time,
    )
    keeper = Keeper(media, MediaInspector(), artifacts, verify=settings.verify == "decode")
    room = Room(settings.max_body, max(settings.max_bodies, settings.max_body))

    async def close() -> None:
        await asyncio.gather(backends.close(), keyring.close())
        await store.close()
        await asyncio.gather(pool.aclose(), public.aclose())

    service = InferenceService(backends, keeper)
    always = (exchange.keep_up, *beside) if beside else ()
    return create_app(
        House(
            service, artifacts, media, status, metrics, room, _entrance(settings, keyring), settings.public_url, close,
            always,
        )
    )  # fmt: skip


def _entrance(settings: Settings, keyring: Keyring) -> Entrance:
    proxied = bool(os.environ.get("K_SERVICE"))
    if settings.auth == "keys":
        return KeyedEntrance(keyring, proxied=proxied)
    return OpenEntrance(proxied=proxied)


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


def _check(settings: Settings) -> None:
    if settings.subnet_url is None:
        log.warning("SPILLWAY_SUBNET_URL is not set: only hosted inference answers")
    if settings.auth == "keys" and settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: keys are kept in the state, and memory:// has none to begin with")
    if settings.auth is None and os.environ.get("K_SERVICE"):
        raise BadSettings("SPILLWAY_AUTH: set it to keys; or to none, where only callers that you trust can get here")
    for name in ("queue", "artifacts"):
        scheme = getattr(settings, name).partition("://")[0]
        if scheme in ("pubsub", "gs"):
            raise BadSettings(f"SPILLWAY_{name.upper()}: {scheme}:// is not in this release")


def _artifacts(settings: Settings) -> Artifacts:
    from spillway.adapters.file_artifacts import FileArtifacts  # noqa: PLC0415 (by scheme)

    directory = urlsplit(settings.artifacts)
    if directory.netloc or not directory.path:
        raise BadSettings("SPILLWAY_ARTIFACTS: must be file:///DIR with an absolute path")
    return FileArtifacts(Path(directory.path))


def _media(settings: Settings, routes: Routes, pool: HttpPool, public: HttpPool) -> Media:
    bases = [
        settings.subnet_url,
        settings.replicate_url,
        *(provider.base_url for provider in routes.providers.values()),
    ]
    trusted = [host for base in bases if base and (host := urlsplit(base).hostname)]
    return HttpMedia(pool, public, trusted=trusted, allow_private=settings.allow_private_urls)


def _hosted(settings: Settings, routes: Routes, pool: HttpPool, media: Media) -> dict[str, Inference[Fallback]]:
    """The providers that can be used: Replicate where there is a token, OpenAI-compatible ones always."""
    hosted: dict[str, Inference[Fallback]] = {}
    for name, provider in routes.providers.items():
        if provider.kind == "openai":
            hosted[name] = _openai(name, provider.base_url, provider.api_key_env, pool)
        elif settings.replicate_api_token:
            from spillway.adapters.replicate_api import ReplicateApi  # noqa: PLC0415 (only where it is used)

            token = settings.replicate_api_token.get_secret_value()
            hosted[name] = ReplicateApi(name, pool, media, token=token, base_url=settings.replicate_url)
        else:
            log.warning("REPLICATE_API_TOKEN is not set: no request falls back to the provider %r", name)
    return hosted


def _openai(name: str, base_url: str | None, key_env: str | None, pool: HttpPool) -> Inference[Fallback]:
    from spillway.adapters.openai_api import OpenAiApi  # noqa: PLC0415 (only where it is used)

    if not base_url:
        raise BadSettings(f"the provider {name!r} needs a base_url")
    key = os.environ.get(key_env) if key_env else None
    if key_env and not key:
        raise BadSettings(f"the provider {name!r} takes its key from {key_env}, which is not set")
    return OpenAiApi(name, pool, base_url=base_url, api_key=key)
