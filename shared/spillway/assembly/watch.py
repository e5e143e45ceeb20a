"""Puts together what is watched beside the scan: deposits, the gateway's tickets, and days and weeks that are over."""

import asyncio
import time

from spillway.adapters.gateway_cli import GatewayCli
from spillway.adapters.gateway_metrics import GatewayMetrics
from spillway.adapters.http import HttpPool
from spillway.assembly.kept import Kept
from spillway.assembly.state import open_store
from spillway.domain.deposit import Limits
from spillway.domain.pipelines import PIPELINES
from spillway.domain.routes import Routes
from spillway.ports.deposits import Deposits
from spillway.ports.store import Store
from spillway.services.deposit import DepositWatch
from spillway.services.deposit_reports import DepositReports
from spillway.services.redemption_reports import RedemptionReports
from spillway.services.redemption_totals import RedemptionTotals
from spillway.services.rounds import Rounds
from spillway.services.summaries import Summaries
from spillway.services.ticket_counting import TicketCounting
from spillway.settings import Settings

WEI = 10**18


class Watch:
    """Looks around. Nothing here raises for what is outside: it is in the log, and in the next round."""

    def __init__(self, settings: Settings, kept: Kept, store: Store, pool: HttpPool):
        self._kept, self._store, self._pool = kept, store, pool
        self.outbox = kept.outbox
        self.rounds = Rounds(store, epoch=time.time)
        self._deposits = open_deposits(settings, pool)
        reports = RedemptionReports(kept.redemptions, monotonic=time.monotonic)
        metrics = GatewayMetrics(pool, settings.subnet_metrics_url) if settings.subnet_metrics_url else None
        self._counting = TicketCounting(metrics, store, epoch=time.time)
        self._summaries = Summaries(reports, self._counting, kept.outbox, epoch=time.time)
        self.deposit: DepositWatch | None = None
        if self._deposits:
            limits = Limits(int(settings.deposit_warn_eth * WEI), settings.deposit_warn_days)
            self.deposit = DepositWatch(
                self._deposits, store, kept.outbox, reports,
                senders=settings.senders, limits=limits, epoch=time.time,
            )  # fmt: skip

    async def look(self) -> list[str]:
        """At the deposits and the tickets; gives what went wrong."""
        looks = [self._counting.round(), *([self.deposit.round()] if self.deposit else [])]
        return [problem for problems in await asyncio.gather(*looks) for problem in problems]

    async def sum_up(self, read_until: int) -> None:
        """What is over by this time, up to which the chain is read."""
        await self._summaries.round(read_until)

    async def close(self) -> None:
        """Let go of everything."""
        if self._deposits:
            await self._deposits.close()
        await self._pool.aclose()
        await self._store.close()
        await self._kept.close()


def open_watch(settings: Settings, kept: Kept) -> Watch:
    """The watch has `kept` to itself, and closes it. Nothing is connected yet. Raises BadSettings."""
    return Watch(settings, kept, open_store(settings), HttpPool())


def deposit_reports(routes: Routes, kept: Kept, store: Store) -> DepositReports:
    """Reads what the watch has stored."""

    def hosted(name: str) -> float | None:
        pipeline, _, model = name.partition(" ")
        route = routes.find(pipeline, model) if pipeline in PIPELINES else None
        return route.hosted_usd if route and route.fallbacks else None

    reports = RedemptionReports(kept.redemptions, monotonic=time.monotonic)
    return DepositReports(store, TicketCounting(None, store, epoch=time.time), reports, hosted, epoch=time.time)


def redemption_totals(store: Store) -> RedemptionTotals:
    """Totals with what the watch has counted."""
    return RedemptionTotals(TicketCounting(None, store, epoch=time.time), epoch=time.time)


def open_deposits(settings: Settings, pool: HttpPool) -> Deposits | None:
    """The chain tells, or the gateway where no node is known; None where neither can be asked."""
    if settings.rpc_url:
        # web3 takes 0.7 s to import.
        from spillway.adapters.chain_deposits import ChainDeposits  # noqa: PLC0415
        from spillway.adapters.chain_nodes import Nodes  # noqa: PLC0415
        from spillway.adapters.json_rpc import Node  # noqa: PLC0415

        broker = settings.ticket_broker
        nodes = Nodes([Node(url) for url in settings.rpc_url], chain_id=settings.chain_id, broker=broker)
        return ChainDeposits(nodes, broker)
    return GatewayCli(pool, base_url=settings.subnet_cli_url) if settings.subnet_cli_url else None
