"""Puts together every path but those of inference: pages, jobs, redemptions, metrics."""

import time
from collections.abc import Mapping

from starlette.routing import Route

from spillway.adapters.gif_animator import GifAnimator
from spillway.assembly.inside import Inside
from spillway.assembly.jobs import JobSide
from spillway.assembly.kept import Kept
from spillway.assembly.watch import deposit_reports, redemption_totals
from spillway.edge.annex import Annex
from spillway.edge.bodies import Room
from spillway.edge.dashboard.endpoints import Dashboard
from spillway.edge.gif.endpoints import GifCompetition
from spillway.edge.job_house import JobHouse
from spillway.edge.redemptions import days_page, deposit_page, redemptions_page
from spillway.ports import Values
from spillway.services.archive import Archive
from spillway.services.deposit_reports import DepositReports
from spillway.services.gallery import Gallery
from spillway.services.gauges import Gauges, QueueGauges, RoundGauges, of_subnet
from spillway.services.overview import Overview
from spillway.services.redemption_reports import RedemptionReports
from spillway.services.rounds import Rounds


def open_annex(own: Inside, side: JobSide, kept: Kept, jobs: JobHouse, room: Room) -> Annex:
    """Nothing is connected yet."""
    reports = RedemptionReports(kept.redemptions, monotonic=time.monotonic)
    deposits = deposit_reports(own.routes, kept, own.store)
    archive = Archive(own.store, own=own.chronicling)
    return Annex(
        backends=own.backends,
        artifacts=own.artifacts,
        status=own.status,
        archive=archive,
        exposition=own.metrics,
        jobs=jobs,
        gauges=_gauges(own, side, kept, deposits, room),
        further=[
            Route("/api/redemptions", redemptions_page(reports, redemption_totals(own.store)), methods=["GET"]),
            Route("/api/redemptions/days", days_page(reports), methods=["GET"]),
            Route("/api/redemptions/deposit", deposit_page(deposits), methods=["GET"]),
            *_dashboard(own, side, archive, reports, deposits).routes(),
            *_competition(own, side).routes(),
        ],
    )


def _competition(own: Inside, side: JobSide) -> GifCompetition:
    animator = GifAnimator()
    return GifCompetition(Gallery(own.store, own.artifacts, animator, side.desk, side.views, epoch=time.time))


def _dashboard(
    own: Inside, side: JobSide, archive: Archive, reports: RedemptionReports, deposits: DepositReports
) -> Dashboard:
    def budget() -> Mapping[str, float]:
        return own.backends.budget.everybody.figures(time.time())

    overview = Overview(
        own.store, archive, own.backends.gates, side.jobs,
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
