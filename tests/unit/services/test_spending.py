"""Money is never spent twice, and what is left can be spent."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.budget import DAY_S, SKEW_S, Books, date_of
from spillway.errors import StoreUnavailable
from spillway.services import contention
from spillway.services.grants import FOLDER
from spillway.services.spending import REFRESH_S, Reservation, Spending
from support.slow_store import SlowStore
from support.unsure_store import FATES, Fate, UnsureStore

DAY = 20_000
NOON = (DAY + 0.5) * DAY_S


@dataclass
class Time:
    """A clock that a test sets."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


class DeadStore(MemoryStore):
    """A store that can be cut off, or that has one document which can't be reached."""

    dead = False
    dead_key = ""

    async def read(self, folder: str, key: str) -> Any:
        if self.dead or key == self.dead_key:
            raise StoreUnavailable("gone")
        return await super().read(folder, key)


@asynccontextmanager
async def spending(store: Any, usd: float | None, time: Time, **more: Any) -> AsyncIterator[Spending]:
    made = Spending(store, usd, epoch=time, **more)
    try:
        yield made
    finally:
        await made.close()


async def spend(one: Spending, time: Time, usd: float, priority: int = 0) -> Reservation | None:
    """As a request does."""
    await one.prepare(usd, priority)
    return one.reserve(usd, time(), priority)


async def spend_all(one: Spending, time: Time, usd: float, priority: int = 0) -> int:
    """How many jobs the money is for."""
    jobs = 0
    while await spend(one, time, usd, priority):
        jobs += 1
    return jobs


async def books(store: MemoryStore, day: int = DAY) -> dict[str, Any]:
    found = await store.read(FOLDER, date_of(day))
    assert found
    return found.body


async def test_nothing_is_spent_that_is_not_granted() -> None:
    async with spending(MemoryStore(), 10.0, Time()) as one:
        assert one.reserve(0.01, NOON) is None
        await one.prepare(0.01)
        assert one.reserve(0.01, NOON)


async def test_whole_cap_can_be_spent_and_no_more() -> None:
    async with spending(MemoryStore(), 1.0, Time()) as one:
        assert await spend_all(one, Time(), 0.01) == 100
        assert one.seconds_left(NOON) == pytest.approx(DAY_S / 2 + SKEW_S)


async def test_without_a_cap_the_store_is_not_used() -> None:
    store = DeadStore()
    store.dead = True
    async with spending(store, None, Time()) as one:
        one.kick()
        assert await spend(one, Time(), 1e9)
        assert (one.pressure(NOON), one.figures(NOON)) == (0.0, {})


async def test_cap_of_nothing_lets_only_free_jobs_through() -> None:
    async with spending(MemoryStore(), 0.0, Time()) as one:
        assert await spend(one, Time(), 0.01) is None
        assert await spend(one, Time(), 0.0)


async def test_instances_share_the_cap() -> None:
    store, time = MemoryStore(), Time()
    async with spending(store, 1.0, time) as one, spending(store, 1.0, time) as other:
        jobs = 0
        while any([await spend(one, time, 0.01), await spend(other, time, 0.01)]):
            jobs += 1
        assert one.figures(NOON)["spillway_fallback_budget_left_usd"] < 0.03
    body = await books(store)
    assert body["accounts"] == {}
    assert 970_000 <= body["settled"] <= 1_000_000


async def test_restart_goes_on_where_the_last_one_ended() -> None:
    store, time = MemoryStore(), Time()
    async with spending(store, 1.0, time) as one:
        for _ in range(60):
            assert await spend(one, time, 0.01)
    async with spending(store, 1.0, time) as one:
        assert await spend_all(one, time, 0.01) == 40


async def test_crash_costs_its_grant_and_no_more() -> None:
    store, time = MemoryStore(), Time()
    crashed = Spending(store, 1.0, epoch=time)
    assert await spend(crashed, time, 0.01)
    assert crashed._keeper
    crashed._keeper.cancel()
    async with spending(store, 1.0, time) as one:
        assert 90 <= await spend_all(one, time, 0.01) <= 99


async def test_job_that_is_not_billed_can_be_spent_again() -> None:
    async with spending(MemoryStore(), 0.02, Time()) as one:
        first = await spend(one, Time(), 0.02)
        assert first
        assert await spend(one, Time(), 0.02) is None
        one.release(first)
        one.release(first)
        assert await spend_all(one, Time(), 0.02) == 1


async def test_job_of_yesterday_is_not_given_back_today() -> None:
    time = Time((DAY + 1) * DAY_S - 10)
    async with spending(MemoryStore(), 1.0, time) as one:
        yesterdays = await spend(one, time, 1.0)
        assert yesterdays
        time.now += 20
        assert await spend_all(one, time, 0.5) == 2
        one.release(yesterdays)
        assert await spend(one, time, 0.5) is None


async def test_near_midnight_a_job_is_paid_from_both_days() -> None:
    store, time = MemoryStore(), Time((DAY + 1) * DAY_S - 1)
    async with spending(store, 1.0, time) as one:
        assert await spend_all(one, time, 0.1) == 10
        time.now += SKEW_S + 2
        assert await spend(one, time, 0.1) is None
        time.now += DAY_S
        assert await spend(one, time, 0.1)


async def test_tomorrows_money_is_there_at_midnight() -> None:
    time = Time((DAY + 1) * DAY_S - 30)
    async with spending(MemoryStore(), 1.0, time) as one:
        assert await spend(one, time, 0.001)
        await one.settle()
        time.now += 60
        assert one.reserve(0.001, time())


async def test_while_the_store_is_gone_only_the_grant_is_spent() -> None:
    store, time = DeadStore(), Time()
    async with spending(store, 10.0, time) as one:
        assert await spend(one, time, 0.01)
        store.dead = True
        jobs = await spend_all(one, time, 0.01)
        assert 1 <= jobs <= 10
        assert one.seconds_left(time()) == REFRESH_S
        began = asyncio.get_running_loop().time()
        for _ in range(100):
            assert await spend(one, time, 0.01) is None
        assert asyncio.get_running_loop().time() - began < 0.5
        store.dead = False
        one._rest_until = 0.0
        assert await spend(one, time, 0.01)


async def test_silent_store_is_waited_for_for_a_bounded_time() -> None:
    one = Spending(UnsureStore(MemoryStore()), 10.0, epoch=Time(), wait_s=0.5)
    began = asyncio.get_running_loop().time()
    await one.prepare(0.01)
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.5, abs=0.3)
    for task in (one._keeper, one._settling):
        assert task
        task.cancel()


async def test_grant_is_refilled_before_it_is_empty() -> None:
    time = Time()
    async with spending(MemoryStore(), 100.0, time) as one:
        assert await spend(one, time, 0.01)
        for _ in range(50):
            await asyncio.sleep(0.05)
            for _ in range(3):
                assert one.reserve(0.01, time())


async def test_idle_instance_gives_its_grant_back() -> None:
    store, time = MemoryStore(), Time()
    async with spending(store, 1.0, time) as one:
        assert await spend(one, time, 0.01)
        time.now += 61
        await one.settle()
        [account] = (await books(store))["accounts"].values()
        assert account == [10_000, 10_000]
        assert await spend(one, time, 0.01)


async def test_instance_that_leaves_keeps_only_what_its_requests_need() -> None:
    store, time = MemoryStore(), Time()
    async with spending(store, 10.0, time) as one:
        assert await spend(one, time, 0.25)
        await one.leave()
        [account] = (await books(store))["accounts"].values()
        assert account == [250_000, 250_000]
        assert await spend(one, time, 0.25)
    assert await books(store) == {"version": 1, "accounts": {}, "settled": 500_000}


async def test_lower_priority_is_refused_first() -> None:
    time = Time()
    async with spending(MemoryStore(), 1.0, time, highest=lambda: 1) as one:
        assert await spend_all(one, time, 0.001, priority=-1) == pytest.approx(950, abs=2)
        assert one.seconds_left(time(), 0.001, priority=-1) > REFRESH_S
        assert await spend_all(one, time, 0.001) == pytest.approx(30, abs=2)
        assert await spend_all(one, time, 0.001, priority=1) == pytest.approx(20, abs=2)


async def test_warnings_are_said_once_each(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    with caplog.at_level(logging.WARNING, "spillway"):
        async with spending(MemoryStore(), 1.0, time) as one:
            await spend_all(one, time, 0.01)
            assert one.figures(time())["spillway_fallback_budget_warning_percent"] == 95
    assert [record.getMessage().split(" of the money")[0] for record in caplog.records] == ["50 %", "80 %", "95 %"]


async def test_pressure_rises_as_the_money_runs_out_early() -> None:
    time = Time(DAY * DAY_S + 3600)
    async with spending(MemoryStore(), 1.0, time) as one:
        pressures = []
        for _ in range(95):
            assert await spend(one, time, 0.01)
            time.now += 60
            pressures.append(one.pressure(time()))
    assert pressures[10] == 0.0
    assert pressures[-1] == 1.0


async def test_money_given_back_by_a_late_write_is_not_spent_before() -> None:
    time, kept = Time(), MemoryStore()
    wire = UnsureStore(kept)
    await kept.write(FOLDER, date_of(DAY), Books().body())
    one = Spending(wire, 1.0, epoch=time)

    async def let(task: "asyncio.Future[None]", *fates: Fate) -> None:
        for fate in fates:
            while not wire.waiting:
                await asyncio.sleep(0)
            await wire.decide(wire.waiting[0], fate)
        await task

    await let(asyncio.ensure_future(one.prepare(0.5)), "answered", "answered")
    assert one.reserve(0.1, time())
    time.now += 61
    await let(asyncio.ensure_future(one.settle()), "answered", "late")
    one._rest_until = 0.0
    await let(asyncio.ensure_future(one.prepare(0.4)), "answered", "lost")
    await wire.come_through(wire.late[0])
    [account] = (await books(kept))["accounts"].values()
    assert account == [100_000, 100_000]
    assert one.reserve(0.01, time()) is None
    assert one._keeper
    one._keeper.cancel()


async def test_day_that_was_left_in_doubt_is_not_begun_anew_by_a_clock_that_goes_back() -> None:
    store, time = DeadStore(), Time()
    async with spending(store, 1.0, time) as one:
        assert await spend(one, time, 0.9)
        time.now += DAY_S
        store.dead_key = date_of(DAY)
        await one.settle()
        store.dead_key = ""
        one._rest_until = 0.0
        time.now -= DAY_S
        assert await spend(one, time, 0.2) is None


async def test_old_books_are_forgotten() -> None:
    store, time = MemoryStore(), Time()
    for day in range(DAY - 12, DAY):
        await store.write(FOLDER, date_of(day), {"version": 1, "accounts": {}, "settled": 1})
    async with spending(store, 1.0, time) as one:
        assert await spend(one, time, 0.01)
        await asyncio.sleep(0.01)
    assert [document.key for document in await store.list(FOLDER)] == [date_of(day) for day in range(DAY - 8, DAY + 1)]


async def test_books_of_a_later_release_are_left_alone() -> None:
    store, time = MemoryStore(), Time()
    await store.write(FOLDER, date_of(DAY), {"version": 2})
    async with spending(store, 1.0, time) as one:
        assert await spend(one, time, 0.01) is None
    assert await books(store) == {"version": 2}


async def test_a_burst_at_the_start_is_served_whole() -> None:
    time = Time()
    async with spending(MemoryStore(), 1.0, time) as one:
        served = await asyncio.gather(*(spend(one, time, 0.01) for _ in range(150)))
    assert sum(bool(reservation) for reservation in served) == 100


async def test_a_burst_at_the_start_is_served_whole_where_the_store_is_slow() -> None:
    time = Time()
    async with spending(SlowStore(0.35), 1.0, time) as one:
        served = await asyncio.gather(*(spend(one, time, 0.01) for _ in range(80)))
    assert all(served)


async def test_a_dozen_instances_that_start_at_once_at_a_distant_store_all_get_their_money() -> None:
    store, time = SlowStore(0.02), Time()
    async with AsyncExitStack() as stack:
        all_ = [await stack.enter_async_context(spending(store, 10.0, time)) for _ in range(12)]
        served = await asyncio.gather(*(spend(one, time, 0.01) for one in all_ for _ in range(5)))
    assert all(served)


PRICES = (0.004, 0.01, 0.05, 0.3)
CAP = 1.0


@dataclass
class Paid:
    """A reservation, the day it was truly made on, and the days whose money it took."""

    owner: Spending
    reservation: Reservation
    true_day: int
    keys: list[str]


@dataclass
class Town:
    """Several instances over one store, their clocks, and what was really spent on each true day."""

    true_now: float
    offsets: list[float]
    chance: Random
    kept: MemoryStore = field(default_factory=MemoryStore)
    spent: Counter[int] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    reserved: list[Paid] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    fates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire = UnsureStore(self.kept)
        self.instances = [self.instance(place) for place in range(len(self.offsets))]

    def instance(self, place: int) -> Spending:
        return Spending(self.wire, CAP, epoch=lambda: self.true_now + self.offsets[place], highest=lambda: 1)

    async def act(self, what: str, a: int, b: int) -> None:
        place = a % len(self.instances)
        one = self.instances[place]
        await getattr(self, f"_{what}")(place, one, b)
        for _ in range(6):
            await asyncio.sleep(0)
        assert all(micros <= CAP * 1e6 for micros in self.spent.values()), self.spent
        for document in await self.kept.list(FOLDER):
            self._check(document.key, Books.read(document.body))

    def _check(self, key: str, books: Books) -> None:
        """The books cover all that was paid, is paid or may be paid at once; the cap covers the books."""
        covered = books.settled + sum(account.granted for account in books.accounts.values())
        stocks = [day.purse.stock for one in self.instances for day in one._days.values() if day.key == key]
        assert self.paid[key] + sum(stocks) <= covered <= CAP * 1e6

    async def _reserve(self, place: int, one: Spending, b: int) -> None:
        usd, priority = PRICES[b % len(PRICES)], b % 3 - 1
        if reservation := one.reserve(usd, self.true_now + self.offsets[place], priority):
            day = int(self.true_now // DAY_S)
            paid = Paid(one, reservation, day, [date_of(number) for number in reservation.days])
            self._count(paid, reservation.micros)
            self.reserved.append(paid)

    def _count(self, paid: Paid, micros: int) -> None:
        self.spent[paid.true_day] += micros
        for key in paid.keys:
            self.paid[key] += micros

    async def _release(self, _place: int, _one: Spending, b: int) -> None:
        if self.reserved:
            paid = self.reserved.pop(b % len(self.reserved))
            paid.owner.release(paid.reservation)
            self._count(paid, -paid.reservation.micros)

    async def _ask(self, _place: int, one: Spending, b: int) -> None:
        self.tasks.append(asyncio.create_task(one.prepare(PRICES[b % len(PRICES)])))

    async def _buy(self, place: int, one: Spending, b: int) -> None:
        await self._ask(place, one, b)
        await self._answer(place, one, b)
        await self._reserve(place, one, b)

    async def _settle(self, _place: int, one: Spending, _b: int) -> None:
        self.tasks.append(asyncio.create_task(one.settle()))

    async def _answer(self, _place: int, _one: Spending, b: int) -> None:
        for _ in range(b % 8):
            await asyncio.sleep(0)
            if self.wire.waiting:
                await self.wire.decide(self.wire.waiting[0], "answered")
            await asyncio.sleep(0)

    async def _decide(self, place: int, _one: Spending, _b: int) -> None:
        if self.wire.waiting:
            [fate] = self.chance.choices(FATES, self.fates)
            await self.wire.decide(self.wire.waiting[place % len(self.wire.waiting)], fate)

    async def _come(self, _place: int, _one: Spending, b: int) -> None:
        if self.wire.late:
            await self.wire.come_through(self.wire.late[b % len(self.wire.late)])

    async def _pass(self, _place: int, _one: Spending, b: int) -> None:
        self.true_now += (0.5, 2.0, 4.0, 9.0, 30.0, 70.0, 4 * 3600.0)[b % 7]

    async def _shift(self, place: int, _one: Spending, b: int) -> None:
        self.offsets[place] = (b % 101 - 50) / 50 * SKEW_S

    async def _recover(self, _place: int, one: Spending, _b: int) -> None:
        one._rest_until = 0.0

    async def _crash(self, place: int, one: Spending, _b: int) -> None:
        for task in (one._keeper, one._settling):
            if task:
                task.cancel()
        one._closed = True
        self.instances[place] = self.instance(place)

    async def _leave(self, place: int, one: Spending, _b: int) -> None:
        self.tasks.append(asyncio.create_task(one.close()))
        self.instances[place] = self.instance(place)

    async def end(self) -> None:
        for one in self.instances:
            await self._crash(0, one, 0)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


STEPS = ("buy", "reserve", "answer", "ask", "settle", "decide", "recover", "release", "come", "pass", "shift")
RARE = ("crash", "leave")


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    start=st.sampled_from([NOON, (DAY + 1) * DAY_S - 12, (DAY + 1) * DAY_S - 75]),
    offsets=st.lists(st.floats(-SKEW_S, SKEW_S), min_size=1, max_size=4),
    steps=st.integers(50, 600),
    chance=st.randoms(use_true_random=True),
)
def test_no_interleaving_passes_the_cap(start: float, offsets: list[float], steps: int, chance: Random) -> None:
    async def play() -> None:
        town = Town(start, offsets, chance)
        try:
            # Each play has a leaning of its own, so that together they go to more extremes.
            weights = [chance.random() ** 2 for _ in STEPS] + [chance.random() * 0.05 for _ in RARE]
            town.fates = [chance.random() ** 2 for _ in FATES]
            for what in chance.choices(STEPS + RARE, weights, k=steps):
                await town.act(what, chance.randrange(20), chance.randrange(2100))
        finally:
            await town.end()
        event(f"spent {max(town.spent.values(), default=0) // 200_000 * 20} % or more")

    backoff, contention.BACKOFF = contention.BACKOFF, 0.0
    try:
        asyncio.run(play())
    finally:
        contention.BACKOFF = backoff
