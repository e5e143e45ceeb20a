"""Requests seldom wait for the store, and a rate holds where the store is away or slow."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.callers import Caller, Limits
from spillway.errors import RateLimited, StoreUnavailable
from spillway.ports.store import Document
from spillway.services.rates import REST_S, WAIT_S, Rates
from support.slow_store import SlowStore
from support.waiting import eventually


class Time:
    """Epoch seconds, moved by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Remote(MemoryStore):
    """A store that can be away or silent, and counts."""

    away = silent = False
    asked = 0

    async def read(self, folder: str, key: str) -> Document | None:
        self.asked += 1
        if self.silent:
            await asyncio.sleep(60)
        if self.away:
            raise StoreUnavailable("away")
        return await super().read(folder, key)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return await super().replace(folder, key, body, version)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(time: Time) -> Remote:
    return Remote(epoch=time)


def caller(rate: float | None, burst: int = 1) -> Caller:
    return Caller("key", limits=Limits(rate, burst))


async def count(rates: Rates, who: Caller, asked: int) -> int:
    """How many of so many requests, one after the other, are let in."""
    admitted = 0
    for _ in range(asked):
        try:
            await rates.admit(who)
        except RateLimited:
            continue
        admitted += 1
    return admitted


async def test_a_key_without_a_rate_costs_the_store_nothing(store: Remote, time: Time) -> None:
    assert await count(Rates(store, epoch=time), caller(None), 100) == 100
    assert store.asked == 0


async def test_the_first_request_does_not_wait_for_the_store(store: Remote, time: Time) -> None:
    store.silent = True
    rates = Rates(store, epoch=time)
    await asyncio.wait_for(rates.admit(caller(1.0)), 0.5)
    await rates.close()


async def test_a_refusal_says_when_to_come_again(store: Remote, time: Time) -> None:
    rates, who = Rates(store, epoch=time), caller(0.1, 2)
    assert await count(rates, who, 2) == 2
    with pytest.raises(RateLimited) as refused:
        await rates.admit(who)
    assert refused.value.headers == {"retry-after": "10"}
    time.now += 10.001
    assert await count(rates, who, 2) == 1


async def test_a_flood_that_is_refused_does_not_reach_the_store(store: Remote, time: Time) -> None:
    rates, who = Rates(store, epoch=time), caller(1.0, 5)
    await count(rates, who, 10)
    asked = store.asked
    assert await count(rates, who, 1000) == 0
    assert store.asked == asked


async def test_fast_requests_are_paid_for_many_at_a_time(store: Remote, time: Time) -> None:
    rates, who = Rates(store, epoch=time), caller(100.0, 200)
    for _ in range(5):
        for _ in range(50):
            await rates.admit(who)
            await asyncio.sleep(0)
            time.now += 0.02
    assert store.asked < 60


async def test_while_the_store_is_away_each_instance_lets_its_part_through(store: Remote, time: Time) -> None:
    both, who = [Rates(store, epoch=time) for _ in range(2)], caller(4.0, 8)
    for _ in range(4):
        assert [await count(one, who, 1) for one in both] == [1, 1]
        await asyncio.sleep(0.01)
        time.now += 1.0
    store.away = True
    admitted = 0
    for _ in range(300):
        time.now += 0.1
        for one in both:
            admitted += await count(one, who, 1)
            await asyncio.sleep(0)
    assert 0.9 * 4.0 * 30 <= admitted <= 4.0 * 30 + 8 + 4


async def test_a_store_that_is_away_is_left_alone(store: Remote, time: Time) -> None:
    rates, who = Rates(store, epoch=time), caller(1000.0, 1000)
    store.away = True
    for _ in range(100):
        await rates.admit(who)
        await asyncio.sleep(0)
        time.now += 0.01
    assert store.asked <= 2


async def test_when_the_store_is_back_the_bucket_rules_again(store: Remote, time: Time) -> None:
    rates, who = Rates(store, epoch=time), caller(1.0, 3)
    store.away = True
    assert await count(rates, who, 1) == 1
    await asyncio.sleep(0.01)
    assert await count(rates, who, 5) == 1
    store.away = False
    time.now += REST_S + 0.1
    await count(rates, who, 1)
    await asyncio.sleep(0.01)
    paid = await store.read("rates", "key")
    assert paid is not None
    assert paid.body["level"] == 2.0, "the one that went ahead before is paid for"
    assert await count(rates, who, 5) == 2
    await rates.close()


async def test_a_silent_store_is_waited_for_once(store: Remote, time: Time) -> None:
    rates, who = Rates(store, epoch=time), caller(10.0, 10)
    store.silent = True
    began = asyncio.get_running_loop().time()
    for _ in range(20):
        await count(rates, who, 1)
        time.now += 0.1
    assert asyncio.get_running_loop().time() - began < 2 * WAIT_S
    await rates.close()


async def test_instances_that_come_to_a_distant_bucket_at_once_are_all_counted_there(time: Time) -> None:
    distant, who = SlowStore(0.02), caller(0.001, 100)
    town = [Rates(distant, epoch=time) for _ in range(20)]
    await asyncio.gather(*(one.admit(who) for one in town))

    async def all_have_paid() -> bool:
        bucket = await distant.read("rates", "key")
        return bucket is not None and len(bucket.body["takers"]) == 20 and bucket.body["level"] == 80.0

    await eventually(all_have_paid)
    await asyncio.gather(*(one.close() for one in town))
