"""Puts the HTTP front door together."""

import logging
import os
from collections.abc import Iterable, Mapping
from functools import partial

from starlette.types import ASGIApp

from spillway.assembly.inside import Inside, inside
from spillway.assembly.reserve import Reserve
from spillway.assembly.state import queue_topic, refuse_passing_state
from spillway.assembly.stopping import Leaving, UntilHandedBack
from spillway.assembly.telemetry import exported
from spillway.domain.pipelines import PIPELINES
from spillway.edge.access import REPLICATE_HOOK
from spillway.edge.app import AppOnDemand, Beside, House, create_app
from spillway.edge.auth import Entrance, KeyedEntrance, OpenEntrance
from spillway.edge.bodies import Room
from spillway.errors import BadSettings
from spillway.services.inference import InferenceService
from spillway.services.on_demand import OnDemand
from spillway.settings import Settings

log = logging.getLogger("spillway")


def front_door(settings: Settings, *, beside: Iterable[Beside] = (), works: bool = True) -> ASGIApp:
    """The HTTP front door. Raises BadSettings; nothing is connected yet.

    `beside` runs for as long as the application does, where that has a processor between requests. With `works` its
    local queue has a worker here; without, jobs are left to the workers of other processes over the same state.
    """
    _check(settings)
    own = inside(settings)
    return _application(own, _house(own, beside, works=works))


def function_door(settings: Settings) -> ASGIApp:
    """The HTTP front door on a server without lifespan: it hands back what it holds when its process is to end."""
    _check(settings)
    own = inside(settings)
    house = _house(own)
    return UntilHandedBack(_application(own, house), Leaving(own.backends.leave, house.close))


def _application(own: Inside, house: House) -> ASGIApp:
    app = exported(create_app(house), house.exporting)
    return own.tracing.application(app) if own.tracing else app


def _house(own: Inside, beside: Iterable[Beside] = (), *, works: bool = False) -> House:
    settings = own.settings
    room = _room(settings)
    reserve = Reserve(own, room)
    always = (own.backends.exchange.keep_up, *beside) if beside else ()
    if works and queue_topic(settings) is None:
        always = (*always, reserve.work)
    return House(
        inference=InferenceService(own.backends, own.keeper),
        artifacts=own.artifacts,
        media=own.media,
        room=room,
        entrance=_entrance(own),
        jobs=reserve.jobs,
        annex=reserve.annex,
        public_url=settings.public_url,
        close=reserve.close,
        exporting=reserve.exporting,
        beside=always,
        side_doors=_side_doors(own, reserve),
    )


def _room(settings: Settings) -> Room:
    return Room(settings.max_body, max(settings.max_bodies, settings.max_body))


def _entrance(own: Inside) -> Entrance:
    proxied = bool(os.environ.get("K_SERVICE"))
    if own.settings.auth == "keys":
        return KeyedEntrance(own.keyring, own.rates, turned_away=own.metrics.turned_away, proxied=proxied)
    return OpenEntrance(proxied=proxied)


def _side_doors(own: Inside, reserve: Reserve) -> Mapping[str, ASGIApp]:
    settings, doors = own.settings, dict[str, ASGIApp]()
    if settings.internal_key:
        doors.update(_subnet_doors(own, settings.internal_key.get_secret_value()))
    if settings.replicate_webhook_secret:
        secret = settings.replicate_webhook_secret.get_secret_value()
        doors[REPLICATE_HOOK] = AppOnDemand(OnDemand(partial(reserve.replicate_hook, secret)))
    return doors


def _subnet_doors(own: Inside, key: str) -> Mapping[str, ASGIApp]:
    from spillway.edge import internal  # noqa: PLC0415 (only where workers are let in)
    from spillway.services.subnet_door import OwnGates  # noqa: PLC0415 (only where workers are let in)

    door = OwnGates(own.backends, own.keeper)
    # Jobs wait for minutes with their uploads: those must not take the room of live requests.
    room = _room(own.settings)
    return {
        f"{internal.PATH}/{name}": internal.SubnetEndpoint(pipeline, door, room, key)
        for name, pipeline in PIPELINES.items()
    }


def _check(settings: Settings) -> None:
    if settings.subnet_url is None:
        log.warning("SPILLWAY_SUBNET_URL is not set: only hosted inference answers")
    in_cloud = bool(os.environ.get("K_SERVICE"))
    if settings.auth == "keys" and settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: keys are kept in the state, and memory:// has none to begin with")
    if settings.auth == "keys" and in_cloud and settings.state.startswith("sqlite:"):
        raise BadSettings("SPILLWAY_STATE: keys are kept in the state, and sqlite:// is gone with each instance")
    if settings.auth is None and in_cloud:
        raise BadSettings("SPILLWAY_AUTH: set it to keys; or to none, where only callers that you trust can get here")
    # Their parts are put together when they are asked for: too late to refuse the start.
    refuse_passing_state(settings)
    queue_topic(settings)
