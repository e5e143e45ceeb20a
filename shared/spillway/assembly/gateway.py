"""Puts the HTTP front door together."""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial

from starlette.routing import Route
from starlette.types import ASGIApp

from spillway.adapters.gif_animator import GifAnimator
from spillway.adapters.local_queue import LocalQueue
from spillway.assembly.inside import Inside, inside
from spillway.assembly.jobs import JobSide, job_side
from spillway.assembly.kept import Kept, open_kept
from spillway.assembly.stopping import Leaving, UntilHandedBack
from spillway.assembly.telemetry import exported, open_exporting
from spillway.assembly.watch import deposit_reports, redemption_totals
from spillway.assembly.worker import stop_hosted, stop_prediction, work_side
from spillway.domain.pipelines import PIPELINES
from spillway.edge import hooks, internal
from spillway.edge.app import Beside, House, JobHouse, create_app
from spillway.edge.auth import Entrance, KeyedEntrance, OpenEntrance
from spillway.edge.bodies import Room
from spillway.edge.dashboard.endpoints import Dashboard
from spillway.edge.gif.endpoints import GifCompetition
from spillway.edge.redemptions import days_page, deposit_page, redemptions_page
from spillway.errors import BadSettings
from spillway.ports import Values
from spillway.services.deposit_reports import DepositReports
from spillway.services.gallery import Gallery
from spillway.services.gauges import Gauges, QueueGauges, RoundGauges, of_subnet
from spillway.services.hooks import Hooks
from spillway.services.inference import InferenceService
from spillway.services.overview import Overview
from spillway.services.redemption_reports import RedemptionReports
from spillway.services.rounds import Rounds
from spillway.services.subnet_door import OwnGates
from spillway.services.wakes import Wakes
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
    kept = open_kept(settings)
    side, wakes = job_side(own, stop=stop_hosted(own)), Wakes()
    always = (own.backends.exchange.keep_up, *beside) if beside else ()
    if works and isinstance(side.queue, LocalQueue):
        door = OwnGates(own.backends, own.keeper) if own.backends.subnet else None
        always = (*always, partial(work_side(own, side, door, wakes).beside, side.queue))

    reports = RedemptionReports(kept.redemptions, monotonic=time.monotonic)
    room = Room(settings.max_body, max(settings.max_bodies, settings.max_body))
    deposits = deposit_reports(own.routes, kept, own.store)
    gauges = _gauges(own, side, kept, deposits, room)
    exporting = open_exporting(own.metrics, gauges)

    async def close() -> None:
        if exporting:
            await exporting.close()
        await side.close()
        await own.close()
        await kept.close()

    return House(
        inference=InferenceService(own.backends, own.keeper),
        artifacts=own.artifacts,
        media=own.media,
        status=own.status,
        archive=own.archive,
        exposition=own.metrics,
        room=room,
        entrance=_entrance(own),
        public_url=settings.public_url,
        jobs=JobHouse(side.desk, side.views, side.changes, side.idempotency),
        close=close,
        beside=always,
        side_doors=_side_doors(own, side, wakes, room),
        gauges=gauges,
        exporting=exporting,
        further=[
            Route("/api/redemptions", redemptions_page(reports, redemption_totals(own.store)), methods=["GET"]),
            Route("/api/redemptions/days", days_page(reports), methods=["GET"]),
            Route("/api/redemptions/deposit", deposit_page(deposits), methods=["GET"]),
            *_dashboard(own, side, reports, deposits).routes(),
            *_competition(own, side).routes(),
        ],
    )


def _competition(own: Inside, side: JobSide) -> GifCompetition:
    animator = GifAnimator()
    return GifCompetition(Gallery(own.store, own.artifacts, animator, side.desk, side.views, epoch=time.time))


def _dashboard(own: Inside, side: JobSide, reports: RedemptionReports, deposits: DepositReports) -> Dashboard:
    def budget() -> Mapping[str, float]:
        return own.backends.budget.everybody.figures(time.time())

    overview = Overview(
        own.store, own.archive, own.backends.gates, side.jobs,
        redemptions=reports, deposits=deposits, budget=budget, epoch=time.time,
    )  # fmt: skip
    return Dashboard(overview, own.status)


def _gauges(own: Inside, side: JobSide, kept: Kept, deposits: DepositReports, room: Room) -> Gauges:
    gates, store = own.backends.gates, own.store

    async def own_values() -> Values:
        return {
            "spillway_body_bytes": float(room.taken),
            "spillway_job_listeners": float(side.changes.listeners),
            **of_subnet(gates),
            **own.backends.budget.everybody.figures(time.time()),
        }

    queues = QueueGauges(side.jobs, gates, epoch=time.time)
    rounds = RoundGauges(Rounds(store, epoch=time.time), kept.outbox, epoch=time.time)
    return Gauges([own_values, deposits.gauges, queues.now, rounds.now])


def _entrance(own: Inside) -> Entrance:
    proxied = bool(os.environ.get("K_SERVICE"))
    if own.settings.auth == "keys":
        return KeyedEntrance(own.keyring, own.rates, turned_away=own.metrics.turned_away, proxied=proxied)
    return OpenEntrance(proxied=proxied)


def _side_doors(own: Inside, side: JobSide, wakes: Wakes, room: Room) -> Mapping[str, ASGIApp]:
    doors: dict[str, ASGIApp] = {}
    if own.settings.internal_key:
        door, key = OwnGates(own.backends, own.keeper), own.settings.internal_key.get_secret_value()
        # Jobs wait for minutes with their uploads: those must not take the room of live requests.
        inner = Room(own.settings.max_body, max(own.settings.max_bodies, own.settings.max_body))
        for name, pipeline in PIPELINES.items():
            doors[f"{internal.PATH}/{name}"] = internal.SubnetEndpoint(pipeline, door, inner, key)
    if own.settings.replicate_webhook_secret:
        reports = Hooks(side.jobs, side.queue, wakes, stop=stop_prediction(own), epoch=time.time)
        secret = own.settings.replicate_webhook_secret.get_secret_value()
        doors[hooks.PATH] = hooks.ReplicateHook(reports, room, secret)
    return doors


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
