"""Totals of a period as the network publishes them: what was paid, the tickets that were sent for it, and the luck."""

from dataclasses import asdict
from typing import Any

from spillway.domain.deposit import DAY_S
from spillway.domain.luck import luck
from spillway.domain.redemption_sums import Sum
from spillway.domain.ticket_counts import Counters
from spillway.ports import Clock
from spillway.services.redemption_reports import Period
from spillway.services.ticket_counting import TicketCounting, day_of


class RedemptionTotals:
    """Adds what the gateway counted to what the chain tells. Tickets are counted by day: of a period that begins or
    ends within one, and of one that began before they were counted, nothing is said.
    """

    def __init__(self, counting: TicketCounting, *, epoch: Clock):
        self._counting, self._epoch = counting, epoch

    async def body(self, period: Period, total: Sum) -> dict[str, Any]:
        """The sum, and `tickets_sent`, `expected_wei`, `luck`, each None where it is not known."""
        counts = await self._counts(period)
        found = luck(total.count, total.face_value_wei, counts.value_wei) if counts else None
        return {
            **total.body(),
            "tickets_sent": round(counts.tickets) if counts else None,
            "expected_wei": str(round(counts.value_wei)) if counts else None,
            "luck": asdict(found) if found else None,
        }

    async def _counts(self, period: Period) -> Counters | None:
        now = self._epoch()
        before = min(now, period.before)
        if period.since % DAY_S or (period.before < now and period.before % DAY_S):
            return None
        return await self._counting.between(day_of(period.since), day_of(before - 1))
