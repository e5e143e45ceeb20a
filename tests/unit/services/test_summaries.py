"""Summaries of days and weeks: once each, when they are over and read."""

from datetime import UTC, datetime

import pytest

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.memory_redemptions import MemoryRedemptions
from spillway.adapters.memory_store import MemoryStore
from spillway.domain.announcements import card_of
from spillway.domain.ticket_counts import Counters
from spillway.domain.trail import Trail
from spillway.ports.redemptions import Cursor, Finding
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.redemption_totals import RedemptionTotals
from spillway.services.summaries import Summaries
from spillway.services.ticket_counting import TicketCounting
from support.announced import redemption


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class Gateway:
    """Port of ticket counters."""

    def __init__(self) -> None:
        self.now = Counters()

    async def counters(self) -> Counters:
        """As they stand."""
        return self.now


class There:
    """A store with redemptions, and the time."""

    def __init__(self) -> None:
        self.outbox, self.store, self.gateway = MemoryOutbox(), MemoryStore(), Gateway()
        self.redemptions = MemoryRedemptions(self.outbox)
        self.now = at("2026-11-26T00:30")
        self.counting = TicketCounting(self.gateway, self.store, epoch=lambda: self.now)

    async def paid(self, *times: str, recipient: str = "0x" + "22" * 20) -> None:
        for number, text in enumerate(times, at(times[0])):
            one = redemption(number, timestamp=at(text), amount_wei=10**15, face_value_wei=10**15, recipient=recipient)
            await self.redemptions.write(f"by hand {number}", Cursor(Trail(1)), [Finding(one, None, None)])

    async def counted(self) -> None:
        """9,180 tickets on the 25th; the counters are known since the evening before."""
        self.now = at("2026-11-24T23:59")
        await self.counting.round()
        await self.counting.round()
        self.now = at("2026-11-25T12:00")
        self.gateway.now = Counters(9180, 2e15, {"text-to-image a": 900})
        await self.counting.round()
        self.now = at("2026-11-26T00:30")

    async def round(self, read_until: str) -> None:
        reports = RedemptionReports(self.redemptions, monotonic=lambda: float(self.now))
        await Summaries(reports, self.counting, self.outbox, epoch=lambda: self.now).round(at(read_until))

    async def told(self) -> dict[str, dict[str, str]]:
        cards = [card_of(entry.kind, entry.body) for entry in await self.outbox.pending(100)]
        return {card.title: dict(card.facts) for card in cards}


async def test_a_day_and_a_week_are_told_once() -> None:
    there = There()
    await there.paid("2026-11-25T00:00:00", "2026-11-25T23:59:59", "2026-11-26T00:00:00", "2026-11-18T12:00:00")
    await there.paid("2026-11-25T10:00:00", recipient="0x" + "33" * 20)
    for _ in range(3):
        await there.round("2026-11-26T00:05")
    day, week = "Ticket redemptions on Wednesday, 2026-11-25", "Ticket redemptions in week 47 of 2026"
    told = await there.told()
    assert set(told) == {day, week}
    assert (told[day]["Operators paid"], told[day]["Winning tickets"]) == ("2", "3")
    assert told[day]["Paid"] == "0.003 ETH ($9.00)"
    assert told[week]["Winning tickets"] == "1"


async def test_a_day_is_not_told_before_the_chain_is_read_past_it() -> None:
    there = There()
    await there.paid("2026-11-25T12:00:00")
    await there.round("2026-11-25T23:59:59")
    assert await there.told() == {}


async def test_the_past_is_not_told_while_it_is_read() -> None:
    there = There()
    await there.paid("2026-10-01T12:00:00")
    await there.round("2026-10-02T00:10")
    assert await there.told() == {}


async def test_a_day_without_tickets_is_not_told() -> None:
    there = There()
    await there.round("2026-11-26T00:05")
    assert await there.told() == {}


async def test_tickets_and_luck_are_told_where_the_gateway_counts() -> None:
    there = There()
    await there.counted()
    await there.paid("2026-11-25T12:00:00", "2026-11-25T13:00:00", "2026-11-25T14:00:00")
    await there.round("2026-11-26T00:05")
    facts = (await there.told())["Ticket redemptions on Wednesday, 2026-11-25"]
    assert facts["Tickets sent"] == "9,180"
    assert facts["Luck"] == "1.50 of what was expected (95 %: 0.31 to 4.38)"


@pytest.mark.parametrize(
    ("since", "before", "tickets"),
    [
        ("2026-11-25", "2026-11-26", 9180),
        ("2026-11-24", "2026-11-27", 9180),
        ("2026-11-24", "2026-11-25", 0),
        ("2026-11-23", "2026-11-26", None),
        ("2026-11-25T01:00", "2026-11-26", None),
    ],
)
async def test_totals_tell_tickets_where_whole_days_of_them_are_known(
    since: str, before: str, tickets: int | None
) -> None:
    there = There()
    await there.counted()
    await there.paid("2026-11-25T12:00:00")
    period = Period(at(since), at(before))
    sums = await RedemptionReports(there.redemptions, monotonic=lambda: 0.0).sums(period)
    body = await RedemptionTotals(there.counting, epoch=lambda: there.now).body(period, sums.total)
    assert (body["tickets_sent"], body["luck"] is not None) == (tickets, bool(tickets))
