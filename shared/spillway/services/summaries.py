"""Has each day and each week announced once, when the chain has been read past its end."""

import logging

from spillway.domain.announcements import NOTE, card_body
from spillway.domain.summaries import Span, due, summary
from spillway.errors import SpillwayError
from spillway.ports import Clock
from spillway.ports.outbox import Draft, Outbox
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.ticket_counting import TicketCounting

log = logging.getLogger("spillway.summaries")

CAUGHT_UP_S = 7200.0


class Summaries:
    """Writes summaries into the outbox. The same period has the same id, so one is announced however often."""

    def __init__(self, reports: RedemptionReports, counting: TicketCounting, outbox: Outbox, *, epoch: Clock):
        self._reports, self._counting, self._outbox, self._epoch = reports, counting, outbox, epoch
        self._seen: set[str] = set()

    async def round(self, read_until: int) -> list[str]:
        """The chain is read up to this time, in epoch seconds. Never raises for what is outside."""
        # Whoever reads the past comes by many days that are over.
        if self._epoch() - read_until > CAUGHT_UP_S:
            return []
        problems = []
        for span in due(read_until):
            if span.id in self._seen:
                continue
            try:
                if await self._outbox.find(span.id) is None:
                    await self._write(span)
                self._seen.add(span.id)
            except SpillwayError as error:
                problems.append(f"{span.id} is left for the next round: {error}")
                log.warning("%s", problems[-1])
        return problems

    async def _write(self, span: Span) -> None:
        sums = await self._reports.sums(Period(span.since, span.before), "orchestrator")
        counts = await self._counting.between(span.first.isoformat(), span.last)
        card = summary(span, sums, counts, await self._price())
        if card:
            await self._outbox.add([Draft(span.id, NOTE, card_body(card))])

    async def _price(self) -> str | None:
        """That of the latest redemption that has one."""
        page = await self._reports.page(Period(), None, 1)
        return next((one.decorations.eth_usd for one in page.redemptions), None)
