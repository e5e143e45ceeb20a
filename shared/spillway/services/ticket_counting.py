"""Keeps what a gateway's counters grew by, day by day."""

import logging

from spillway.domain.moments import rfc3339
from spillway.domain.ticket_counts import Counters, noted, within
from spillway.errors import Conflict, Overflow, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.deposits import TicketCounters
from spillway.ports.store import Store

log = logging.getLogger("spillway.tickets")

FOLDER, KEY = "tickets", "gateway"


class TicketCounting:
    """Looks at the counters; `counters` None where there are none to look at."""

    def __init__(self, counters: TicketCounters | None, store: Store, *, epoch: Clock):
        self._counters, self._store, self._epoch = counters, store, epoch

    async def round(self) -> list[str]:
        """One look. Never raises for what is outside: gives what went wrong."""
        if self._counters is None:
            return []
        try:
            now = await self._counters.counters()
            found = await self._store.read(FOLDER, KEY)
            body = noted(found.body if found else {}, now, day_of(self._epoch()))
            await self._store.replace(FOLDER, KEY, body, found.version if found else None)
        except Conflict:
            log.debug("another round has counted the tickets")
        except (Overflow, StoreUnavailable) as error:
            log.warning("tickets are not counted in this round: %s", error)
            return [f"tickets are not counted in this round: {error}"]
        return []

    async def between(self, first: str, last: str) -> Counters | None:
        """What was counted from one day to another; None where that is not known. Raises StoreUnavailable."""
        found = await self._store.read(FOLDER, KEY)
        return within(found.body, first, last) if found else None


def day_of(epoch_s: float) -> str:
    """The UTC day."""
    return rfc3339(int(epoch_s))[:10]
