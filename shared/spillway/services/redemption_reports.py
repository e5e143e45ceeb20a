"""What is reported of stored redemptions: one after the other, by pages, and in sums."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from spillway.domain.redemption_sums import By, Sums
from spillway.domain.redemptions import LATEST, Redemption
from spillway.ports import Clock
from spillway.ports.redemptions import Page, Redemptions

AT_ONCE = 500
KEPT_S = 15.0
KEPT = 32


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to, not including, `before`, in epoch seconds; `removed` adds what is gone from the chain."""

    since: int = 0
    before: int = LATEST
    removed: bool = False


class RedemptionReports:
    """Reads the store. Sums of a period are remembered for a few seconds: each needs all its redemptions.

    They are counted anew at once where there is a newer redemption, so that they agree with a page beside them.
    """

    def __init__(self, redemptions: Redemptions, *, monotonic: Clock):
        self._redemptions, self._monotonic = redemptions, monotonic
        self._sums: OrderedDict[tuple[Period, By | None], tuple[float, list[Redemption], Sums]] = OrderedDict()

    async def page(self, period: Period, after: str | None, limit: int) -> Page:
        """A page, the newest first. Raises ValueError for a cursor that was not given out."""
        return await self._redemptions.page(
            since=period.since, before=period.before, removed=period.removed, after=after, limit=limit
        )

    async def each(self, period: Period) -> AsyncIterator[Redemption]:
        """All of them, the newest first; no more than a page is held."""
        after: str | None = None
        while True:
            page = await self.page(period, after, AT_ONCE)
            for one in page.redemptions:
                yield one
            after = page.after
            if after is None:
                return

    async def sums(self, period: Period, by: By | None = None) -> Sums:
        """Counted now."""
        sums = Sums(by)
        async for one in self.each(period):
            sums.add(one)
        return sums

    async def sums_beside(self, period: Period, page: Page, *, first: bool) -> Sums:
        """Of the whole period, to be shown beside one of its pages; where that is all there is, it is summed."""
        if first and page.after is None:
            return _summed(page.redemptions)
        return await self.recent_sums(period)

    async def recent_sums(self, period: Period, by: By | None = None) -> Sums:
        """With the newest redemption; what was corrected of older ones shows after a few seconds."""
        now, asked = self._monotonic(), (period, by)
        newest = list((await self.page(period, None, 1)).redemptions)
        found = self._sums.get(asked)
        if found is None or now - found[0] > KEPT_S or found[1] != newest:
            found = now, newest, await self.sums(period, by)
            self._sums[asked] = found
            self._sums.move_to_end(asked)
            while len(self._sums) > KEPT:
                self._sums.popitem(last=False)
        return found[2]


def _summed(redemptions: Iterable[Redemption]) -> Sums:
    sums = Sums()
    for one in redemptions:
        sums.add(one)
    return sums
