"""Instances hear of each other and of an operator's orders, whatever the store does."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.adapters.memory_store import MemoryStore
from spillway.adapters.sqlite_store import SqliteStore
from spillway.domain.controller import Ended
from spillway.domain.overrides import AUTO, Override
from spillway.domain.peers import VERSION
from spillway.domain.routes import Route, Routes
from spillway.domain.tally import FOLDER as TALLIES
from spillway.errors import StoreUnavailable
from spillway.ports.store import Document, Store
from spillway.services.exchange import IDLE_S, MOST_TOLD, OVERRIDES, PERIOD_S, REPORTS, SWEPT_AFTER_S, Exchange
from spillway.services.gate import Gate
from spillway.services.gates import Gates
from spillway.services.orders import Orders
from spillway.services.tallying import Tallying
from support.waiting import eventually

ROUTE = Route(pipeline="text-to-image")
ROUTES = Routes({}, [ROUTE])
NAME = "text-to-image any"


class Clock:
    """Seconds, moved by hand."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Instance:
    """One front door's part in the exchange; its own clock need not begin where others' do."""

    def __init__(self, store: Store, clock: Clock | None = None, **more: Any) -> None:
        epoch = clock or time.time
        self.gates = Gates(epoch, Random(1))
        self.exchange = Exchange(store, self.gates, [Tallying(ROUTES, epoch=epoch)], epoch=epoch, **more)

    @property
    def gate(self) -> Gate:
        """The one that these tests look at."""
        return self.gates.of(ROUTE, "any")

    def learn(self, slots: int) -> None:
        """Become sure of so many slots, by a request."""
        self.gate.ended(self.gate.force().key, Ended.SERVED)
        self.gate.policy.estimate.slots.lean([*([0.0] * slots), 1.0], 1.0)

    async def ask(self) -> float:
        """A request comes: how long it waits before it is decided on."""
        began = time.monotonic()
        await self.exchange.fresh(self.gate)
        return time.monotonic() - began

    async def talk(self) -> None:
        """A whole exchange."""
        await self.exchange.kick()


class CountedStore(MemoryStore):
    """Counts the writes."""

    writes = 0

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write, and count it."""
        self.writes += 1
        return await super().write(folder, key, body)


class SickStore(MemoryStore):
    """Is down, or answers late."""

    def __init__(self, takes_s: float, *, down: bool = False) -> None:
        super().__init__()
        self._takes_s, self._down = takes_s, down

    async def list(self, folder: str) -> list[Document]:
        """Sooner or later, or never."""
        await asyncio.sleep(self._takes_s)
        if self._down:
            raise StoreUnavailable("gone")
        return await super().list(folder)


@pytest.mark.parametrize("hours", [0.2, 0.9, 20.0, 200.0])
async def test_a_new_instance_begins_with_what_others_have_learned(hours: float) -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    old = Instance(store, clock)
    old.learn(14)
    await old.talk()
    clock.now += 3600.0 * hours
    new = Instance(store, clock)
    before = new.gate.policy.limit
    await new.ask()
    assert new.gate.started
    assert before < 10 < new.gate.policy.limit


async def test_instances_lean_towards_each_other_and_forget_those_who_are_gone() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    few, many = Instance(store, clock), Instance(store, clock)
    few.learn(2)
    many.learn(12)
    for _ in range(10):
        clock.now += PERIOD_S
        await few.talk()
        await many.talk()
    assert abs(few.gate.policy.limit - many.gate.policy.limit) < 5.0
    assert len(few.gate.policy.estimate.peers) == len(many.gate.policy.estimate.peers) == 1
    clock.now += 40.0
    await few.talk()
    assert len(few.gate.policy.estimate.peers) == 0


async def test_who_has_left_is_not_reckoned_with_but_a_new_instance_begins_with_what_he_knew() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    gone, other = Instance(store, clock), Instance(store, clock)
    gone.learn(12)
    other.learn(12)
    await gone.talk()
    await other.talk()
    assert len(other.gate.policy.estimate.peers) == 1
    clock.now += PERIOD_S
    await gone.exchange.leave()
    await other.talk()
    assert len(other.gate.policy.estimate.peers) == 0
    await other.exchange.leave()
    new = Instance(store, clock)
    before = abs(new.gate.policy.limit - 12)
    await new.talk()
    assert len(new.gate.policy.estimate.peers) == 0
    assert abs(new.gate.policy.limit - 12) < before / 2


async def test_what_was_learned_last_is_kept_until_there_is_something_newer() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    for slots in (3, 12):
        gone = Instance(store, clock)
        gone.learn(slots)
        await gone.talk()
        clock.now += 60.0
    clock.now += SWEPT_AFTER_S
    await Instance(store, clock).talk()
    (last,) = await store.list(REPORTS)
    assert last.body["gates"][NAME]["slots"][12] > 0.5


async def test_reports_of_the_long_gone_are_swept_away() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    gone, here = Instance(store, clock), Instance(store, clock)
    gone.learn(2)
    await gone.talk()
    clock.now += SWEPT_AFTER_S + 1.0
    here.learn(3)
    await here.talk()
    await here.talk()
    assert len(await store.list(REPORTS)) == 1


@pytest.mark.parametrize("route", ["all", "text-to-image", "text-to-image any", "text-to-image *"])
async def test_an_order_is_followed_with_the_next_exchange_and_taken_back(route: str) -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    one, orders = Instance(store, clock), Orders(store, ROUTES)
    await one.ask()
    await orders.set(route, Override("fallback-only", 0.5))
    clock.now += IDLE_S + 0.1
    await one.ask()
    assert one.gate.override == Override("fallback-only", 0.5)
    await orders.reset(route)
    clock.now += IDLE_S + 0.1
    await one.ask()
    assert one.gate.override == AUTO


async def test_the_narrower_order_counts() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    one, orders = Instance(store, clock), Orders(store, ROUTES)
    await orders.set("text-to-image", Override("fallback-only"))
    await orders.set(NAME, Override("subnet-only"))
    await one.ask()
    assert one.gate.override.mode == "subnet-only"
    assert one.gates.of(ROUTE, "another").override == AUTO
    await one.exchange.fresh(one.gates.of(ROUTE, "another"))
    assert one.gates.of(ROUTE, "another").override.mode == "fallback-only"


async def test_a_model_that_nobody_asked_for_before_is_under_its_routes_order_at_once() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    one = Instance(store, clock)
    await Orders(store, ROUTES).set("text-to-image", Override("fallback-only"))
    await one.ask()
    fresh = one.gates.of(ROUTE, "never seen")
    await one.exchange.fresh(fresh)
    assert fresh.override.mode == "fallback-only"


async def test_busy_instance_writes_less_than_once_a_second() -> None:
    clock = Clock()
    store = CountedStore(epoch=clock)
    one = Instance(store, clock)
    one.learn(3)
    for _ in range(6000):
        clock.now += 0.01
        await one.exchange.fresh(one.gate)
        await asyncio.sleep(0)
    assert 20 <= store.writes <= 45
    assert {len(await store.list(folder)) for folder in (REPORTS, TALLIES)} == {1}


async def test_an_instance_that_exchanges_between_requests_too_writes_no_more() -> None:
    store = CountedStore()
    one = Instance(store)
    one.learn(3)
    keeping = asyncio.create_task(one.exchange.keep_up())
    began = time.monotonic()
    while time.monotonic() - began < 2.5 * PERIOD_S:
        await one.ask()
        await asyncio.sleep(0.003)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert 3 <= store.writes <= 2.5 * PERIOD_S


@pytest.mark.parametrize("store", [SickStore(30.0), SickStore(0.0, down=True), SickStore(1.0, down=True)])
async def test_no_request_waits_for_a_store_that_is_slow_or_down(store: SickStore) -> None:
    one = Instance(store)
    waits = [*await asyncio.gather(*(one.ask() for _ in range(20))), *[await one.ask() for _ in range(100)]]
    assert max(waits) < 0.15
    assert sum(waits[20:]) < 0.3
    assert one.gate.override == AUTO


async def test_a_store_that_is_away_is_said_once_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    store = SickStore(0.0, down=True)
    one = Instance(store)
    for _ in range(3):
        await one.talk()
    store._down = False
    await one.talk()
    store._takes_s = PERIOD_S + 1.0
    await one.talk()
    told = "what other instances know can't be had now: "
    assert [record.getMessage() for record in caplog.records] == [f"{told}gone", f"{told}the store is slow"]


async def test_all_first_requests_wait_for_the_first_reading() -> None:
    store = SickStore(0.03)
    await Orders(store, ROUTES).set("text-to-image", Override("fallback-only"))
    one = Instance(store)
    await asyncio.gather(*(one.ask() for _ in range(10)))
    assert one.gate.override.mode == "fallback-only"


async def test_no_request_waits_for_the_gateways_word() -> None:
    async def capacities() -> Mapping[tuple[str, str], int]:
        await asyncio.sleep(30.0)
        return {}

    assert await Instance(MemoryStore(), capacities=capacities).ask() < 0.05


async def test_what_the_gateway_tells_holds_for_models_that_come_later() -> None:
    async def capacities() -> Mapping[tuple[str, str], int]:
        return {("text-to-image", "later"): 17}

    one = Instance(MemoryStore(), capacities=capacities)
    await one.talk()
    later = one.gates.of(ROUTE, "later")
    before = later.policy.limit
    await one.exchange.fresh(later)
    assert later.policy.limit > before + 3


async def test_a_store_that_comes_back_is_heard_again() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    one = Instance(SickStore(0.0, down=True), clock)
    await one.ask()
    one.exchange._store = store
    await Orders(store, ROUTES).set("text-to-image", Override("off"))
    clock.now += PERIOD_S
    await one.talk()
    assert one.gate.override.mode == "off"


async def test_a_clock_that_is_set_back_does_not_stop_the_exchange() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    one = Instance(store, clock)
    await one.ask()
    clock.now -= 86_400.0
    await Orders(store, ROUTES).set("text-to-image", Override("off"))
    await one.ask()
    assert one.gate.override.mode == "off"


async def test_more_models_than_fit_into_one_document_are_told_of_by_the_busiest() -> None:
    clock = Clock()
    store = MemoryStore(epoch=clock)
    one = Instance(store, clock)
    for n in range(3 * MOST_TOLD):
        clock.now += 1.0
        gate = one.gates.of(Route(pipeline="text-to-image", model=f"model-{n}"), "any")
        gate.ended(gate.force().key, Ended.SERVED)
        gate.policy.estimate.slots.expect(500)
    await one.talk()
    (document,) = await store.list(REPORTS)
    assert len(document.body["gates"]) == MOST_TOLD
    assert f"text-to-image model-{3 * MOST_TOLD - 1}" in document.body["gates"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
REPORT = {"slots": [0.5, 0.5], "job_s": [4.0, 6.0], "refusal_s": 2.0, "epoch": 999_990.0, "version": VERSION}
FIELD = st.dictionaries(st.sampled_from([*REPORT, "new"]), JSON, max_size=3)
BODIES = st.one_of(
    st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    st.fixed_dictionaries({"version": st.just(VERSION), "gates": JSON}),
    st.fixed_dictionaries({"version": st.just(VERSION), "gates": st.dictionaries(st.just(NAME), JSON)}),
    FIELD.map(lambda fields: {"version": VERSION, "gates": {NAME: {**REPORT, **fields}}}),
    st.fixed_dictionaries({"mode": JSON, "max_share": JSON}),
)


@given(st.lists(BODIES, min_size=1, max_size=4))
@settings(max_examples=150)
def test_what_a_later_version_may_have_stored_breaks_nothing(bodies: list[dict[str, Any]]) -> None:
    async def played() -> None:
        clock = Clock()
        store = MemoryStore(epoch=clock)
        for place, body in enumerate(bodies):
            await store.write(REPORTS, f"other-{place}", body)
            await store.write(OVERRIDES, NAME, body)
        one = Instance(store, clock)
        await one.ask()
        await one.talk()
        one.learn(3)
        await one.talk()
        assert 0.0 <= one.gate.override.max_share <= 1.0
        assert await one.gate.enter(0.1)
        assert len(await store.list(TALLIES)) == 1

    asyncio.run(played())


@pytest.mark.parametrize("body", [{"max_share": 10**400}, {"mode": "later"}, {"max_share": "half"}, {"mode": None}])
async def test_an_order_that_nobody_understands_is_none(body: dict[str, Any]) -> None:
    store = MemoryStore()
    await store.write(OVERRIDES, "text-to-image", body)
    one = Instance(store)
    await one.talk()
    assert one.gate.override == AUTO


async def test_two_processes_over_one_file_hear_each_other_and_an_order_within_five_seconds(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "state.db") for _ in range(3)]
    one, two = Instance(stores[0]), Instance(stores[1])
    keeping = [asyncio.create_task(each.exchange.keep_up()) for each in (one, two)]
    one.learn(12)
    two.learn(2)
    await Orders(stores[2], ROUTES).set("text-to-image", Override("subnet-only", 0.25))
    await eventually(lambda: {one.gate.override.mode, two.gate.override.mode} == {"subnet-only"}, within_s=5.0)
    await eventually(lambda: len(one.gate.policy.estimate.peers) == len(two.gate.policy.estimate.peers) == 1)
    for task in keeping:
        task.cancel()
    await asyncio.wait(keeping)
    await asyncio.gather(one.exchange.leave(), two.exchange.leave())
    assert len(await stores[2].list(REPORTS)) == 2
    for store in stores:
        await store.close()
