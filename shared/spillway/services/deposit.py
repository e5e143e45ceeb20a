"""Watches the gateways' deposits: each round asks for them, stores what it learned, and has worries announced.

A worry is told once: its announcement has an id that stays the same until the deposit has been well above the limits
again, and that id is stored before the announcement is.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from spillway.domain.announcements import NOTE, card_body
from spillway.domain.deposit import DAY_S, WINDOW_DAYS, Limits, Outlook, read_outlook, warnings
from spillway.errors import Conflict, SpillwayError
from spillway.ports import Clock
from spillway.ports.deposits import Deposits
from spillway.ports.outbox import Draft, Outbox
from spillway.ports.store import Store
from spillway.services.redemption_reports import Period, RedemptionReports

log = logging.getLogger("spillway.deposit")

FOLDER = "deposits"
WITHIN_S = 15.0


class DepositWatch:
    """The watch over some gateways' deposits."""

    def __init__(
        self,
        deposits: Deposits,
        store: Store,
        outbox: Outbox,
        reports: RedemptionReports,
        *,
        senders: Sequence[str],
        limits: Limits,
        epoch: Clock,
        within_s: float = WITHIN_S,
    ):
        self._deposits, self._store, self._outbox, self._reports = deposits, store, outbox, reports
        self._senders, self._limits, self._epoch, self._within_s = senders, limits, epoch, within_s

    async def round(self) -> list[str]:
        """Look at each deposit, in bounded time. Never raises for what is outside: gives what went wrong."""
        problems: list[str] = []
        try:
            async with asyncio.timeout(self._within_s) as limit:
                for sender in self._senders:
                    await self._watch(sender, problems)
        except TimeoutError:
            if not limit.expired():
                raise
            problems.append(f"the deposits could not all be looked at within {self._within_s:g} s")
        for problem in problems:
            log.warning("%s", problem)
        return problems

    async def look(self, sender: str) -> Outlook:
        """A deposit as it is now. Raises a SpillwayError."""
        now = int(self._epoch())
        funds = await self._deposits.funds(sender)
        sums = await self._reports.sums(Period(now - WINDOW_DAYS * DAY_S, now + 1), "gateway")
        spent = sums.groups.get(sender)
        return Outlook(sender, now, funds, spent.amount_wei if spent else 0)

    async def _watch(self, sender: str, problems: list[str]) -> None:
        try:
            outlook = await self._keep(await self.look(sender))
            cards = warnings(outlook)
            await self._outbox.add([Draft(name, NOTE, card_body(card)) for name, card in cards.items()])
        except Conflict:
            log.debug("another round looked at the deposit of %s", sender)
        except SpillwayError as error:
            problems.append(f"the deposit of {sender} can't be watched: {error}")

    async def _keep(self, seen: Outlook) -> Outlook:
        """Store what was seen, with since when it is a worry. Raises Conflict where another round is doing so."""
        found = await self._store.read(FOLDER, seen.sender)
        before = replace(seen, low_since=read_outlook(found.body).low_since if found else None)
        low = before.is_low(self._limits)
        since = (before.low_since or seen.at) if low else None
        outlook = replace(seen, low_since=since)
        await self._store.replace(FOLDER, seen.sender, outlook.body(), found.version if found else None)
        return outlook


async def stored_outlooks(store: Store) -> list[Outlook]:
    """What was seen last of each deposit. Raises StoreUnavailable."""
    return [read_outlook(document.body) for document in await store.list(FOLDER)]
