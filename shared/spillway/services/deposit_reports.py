"""What is reported of deposits, and of the job prices that they could sustain: from the store alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from spillway.domain.deposit import HORIZON_DAYS, WINDOW_DAYS
from spillway.domain.job_prices import job_prices
from spillway.ports import Clock
from spillway.ports.store import Store
from spillway.services.deposit import stored_outlooks
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.ticket_counting import TicketCounting

HostedPrice = Callable[[str], float | None]
"""USD a job of a route, "PIPELINE MODEL", costs at its first fallback; None where it has none."""


class DepositReports:
    """Reads what the watch has stored."""

    def __init__(
        self, store: Store, counting: TicketCounting, reports: RedemptionReports, hosted: HostedPrice, *, epoch: Clock
    ):
        self._store, self._counting, self._reports, self._hosted = store, counting, reports, hosted
        self._epoch = epoch

    async def report(self) -> dict[str, Any]:
        """Deposits and jobs. Raises StoreUnavailable."""
        outlooks = await stored_outlooks(self._store)
        eth_usd = await self._price()
        jobs = await self._jobs(sum(one.funds.deposit_wei for one in outlooks), eth_usd)
        return {
            "deposits": [one.body() for one in outlooks],
            "eth_usd": eth_usd,
            "jobs": jobs,
            "jobs_days": WINDOW_DAYS,
            "sustained_days": HORIZON_DAYS,
            "missing": [] if jobs else ["jobs and tickets, which need a week of the gateway's metrics"],
        }

    async def gauges(self) -> dict[str, dict[str, float]]:
        """For a monitoring system, by gateway. Raises StoreUnavailable."""
        outlooks = await stored_outlooks(self._store)
        return {
            "spillway_deposit_wei": {one.sender: float(one.funds.deposit_wei) for one in outlooks},
            "spillway_reserve_wei": {one.sender: float(one.funds.reserve_wei) for one in outlooks},
            "spillway_deposit_days_left": {one.sender: one.days_left for one in outlooks if one.days_left is not None},
            "spillway_deposit_low": {one.sender: float(one.low_since is not None) for one in outlooks},
            "spillway_deposit_unlocking": {one.sender: float(one.funds.withdraw_round > 0) for one in outlooks},
            "spillway_deposit_seen_timestamp_seconds": {one.sender: float(one.at) for one in outlooks},
        }

    async def _jobs(self, deposit_wei: int, eth_usd: str | None) -> list[dict[str, Any]]:
        today = datetime.fromtimestamp(self._epoch(), UTC).date()
        last = today - timedelta(days=1)
        first = last - timedelta(days=WINDOW_DAYS - 1)
        counts = await self._counting.between(first.isoformat(), last.isoformat())
        if counts is None:
            return []
        hosted = {name: usd for name in counts.jobs if (usd := self._hosted(name)) is not None}
        price = None if eth_usd is None else float(eth_usd)
        return [one.body() for one in job_prices(counts, WINDOW_DAYS, deposit_wei, hosted, price)]

    async def _price(self) -> str | None:
        """That of the latest redemption."""
        page = await self._reports.page(Period(), None, 1)
        return next((one.decorations.eth_usd for one in page.redemptions), None)
