"""Reports over a store."""

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.memory_redemptions import MemoryRedemptions
from spillway.domain.trail import Trail
from spillway.ports.redemptions import Cursor
from spillway.services.redemption_reports import AT_ONCE, KEPT_S, Period, RedemptionReports
from support.redemptions import finding, made


async def test_each_redemption_of_many_pages_comes_once() -> None:
    redemptions = MemoryRedemptions(MemoryOutbox())
    all_ = [made(number) for number in range(2 * AT_ONCE + 3)]
    await redemptions.write("scan", Cursor(Trail(0)), list(map(finding, all_)))
    reports = RedemptionReports(redemptions, monotonic=lambda: 0.0)
    assert [one async for one in reports.each(Period())] == all_[::-1]


async def test_sums_are_counted_anew_when_they_are_old_or_there_is_a_newer_redemption() -> None:
    now = 100.0
    redemptions = MemoryRedemptions(MemoryOutbox())
    reports = RedemptionReports(redemptions, monotonic=lambda: now)
    cursor = await redemptions.write("scan", Cursor(Trail(0)), [finding(made(5))])
    assert (await reports.recent_sums(Period())).total.count == 1
    cursor = await redemptions.write("scan", cursor, [finding(made(6))])
    assert (await reports.recent_sums(Period())).total.count == 2
    await redemptions.write("scan", cursor, [finding(made(4))])
    assert (await reports.recent_sums(Period())).total.count == 2
    assert (await reports.recent_sums(Period(since=1))).total.count == 3
    now += KEPT_S + 1
    assert (await reports.recent_sums(Period())).total.count == 3


async def test_sums_beside_the_only_page_are_of_what_it_holds() -> None:
    redemptions = MemoryRedemptions(MemoryOutbox())
    reports = RedemptionReports(redemptions, monotonic=lambda: 0.0)
    cursor = await redemptions.write("scan", Cursor(Trail(0)), [finding(made(5))])
    assert (await reports.recent_sums(Period())).total.count == 1
    await redemptions.write("scan", cursor, [finding(made(4))])
    whole = await reports.page(Period(), None, 2)
    assert (await reports.sums_beside(Period(), whole, first=True)).total.count == 2
    [older] = (last := await reports.page(Period(), whole.redemptions[0].order, 2)).redemptions
    assert older == made(4)
    assert (await reports.sums_beside(Period(), last, first=False)).total.count == 1


async def test_sums_of_many_periods_do_not_pile_up() -> None:
    reports = RedemptionReports(MemoryRedemptions(MemoryOutbox()), monotonic=lambda: 0.0)
    for since in range(100):
        await reports.recent_sums(Period(since=since))
    assert len(reports._sums) == 32
