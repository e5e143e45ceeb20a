"""The deposit watch: what it stores, and when it has something told."""

from dataclasses import replace

import pytest

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.memory_redemptions import MemoryRedemptions
from spillway.adapters.memory_store import MemoryStore
from spillway.domain.announcements import card_of
from spillway.domain.deposit import DAY_S, Funds, Limits
from spillway.domain.trail import Trail
from spillway.errors import TooSlow
from spillway.ports.redemptions import Cursor, Finding
from spillway.services.deposit import DepositWatch, stored_outlooks
from spillway.services.redemption_reports import RedemptionReports
from support.announced import SENDER, redemption

ETH = 10**18
NOW = 1_790_000_000


class Broker:
    """Port of deposits: says what it is told to."""

    def __init__(self) -> None:
        self.held = Funds(ETH, ETH // 10)
        self.broken = False

    async def funds(self, sender: str) -> Funds:
        """Of whoever is asked for."""
        if self.broken:
            raise TooSlow("nobody answers")
        return self.held

    async def close(self) -> None:
        """Nothing is open."""


class There:
    """A watch over one deposit of 1 ETH, warned of below 0.1 ETH or 10 days."""

    def __init__(self) -> None:
        self.broker, self.store, self.outbox = Broker(), MemoryStore(), MemoryOutbox()
        self.redemptions = MemoryRedemptions(self.outbox)
        self.now = float(NOW)

    async def paid(self, wei: int, days_ago: float, number: int = 1) -> None:
        one = redemption(number, amount_wei=wei, face_value_wei=wei, timestamp=int(self.now - days_ago * DAY_S))
        await self.redemptions.write(f"by hand {number}", Cursor(Trail(1)), [Finding(one, None, None)])

    async def round(self) -> list[str]:
        reports = RedemptionReports(self.redemptions, monotonic=lambda: self.now)
        watch = DepositWatch(
            self.broker, self.store, self.outbox, reports,
            senders=[SENDER], limits=Limits(ETH // 10, 10.0), epoch=lambda: self.now,
        )  # fmt: skip
        self.now += 60
        return await watch.round()

    async def told(self) -> list[str]:
        return [card_of(entry.kind, entry.body).title for entry in await self.outbox.pending(100)]


async def test_the_rate_is_that_of_the_last_week() -> None:
    there = There()
    await there.paid(7 * ETH // 100, 1.0)
    await there.paid(ETH, 8.0, number=2)
    assert await there.round() == []
    [outlook] = await stored_outlooks(there.store)
    assert (outlook.spent_wei, outlook.days_left) == (7 * ETH // 100, 100.0)
    assert await there.told() == []


async def test_nothing_spent_lasts_for_nobody_knows_how_long() -> None:
    there = There()
    await there.round()
    [outlook] = await stored_outlooks(there.store)
    assert (outlook.days_left, outlook.body()["days_left"]) == (None, None)


@pytest.mark.parametrize("low", ["by amount", "by days"])
async def test_a_low_deposit_is_told_once_until_it_was_well_above(low: str) -> None:
    there = There()
    if low == "by days":
        await there.paid(ETH // 2, 0.1)
    for held in (ETH // 20, ETH // 20, ETH // 10 * 105 // 100, ETH // 20):
        there.broker.held = Funds(held, 0)
        await there.round()
    assert await there.told() == ["A gateway's deposit is low"]
    there.broker.held = Funds(100 * ETH, 0)
    await there.round()
    there.broker.held = Funds(ETH // 20, 0)
    await there.round()
    assert await there.told() == ["A gateway's deposit is low"] * 2


async def test_an_unlock_is_told_once_for_each_time_it_is_begun() -> None:
    there = There()
    for withdraw_round in (0, 3500, 3500, 0, 3600, 3600):
        there.broker.held = replace(there.broker.held, withdraw_round=withdraw_round)
        await there.round()
    assert await there.told() == ["A gateway's deposit is being unlocked"] * 2


async def test_a_broker_that_gives_no_answer_leaves_what_was_known() -> None:
    there = There()
    await there.round()
    there.broker.broken = True
    [problem] = await there.round()
    assert problem == f"the deposit of {SENDER} can't be watched: nobody answers"
    assert len(await stored_outlooks(there.store)) == 1
