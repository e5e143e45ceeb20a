"""Rates and keys hold over instances on every store of shared state."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.test_store import firestore
from spillway.adapters.memory_store import MemoryStore
from spillway.adapters.sqlite_store import SqliteStore
from spillway.domain.callers import Caller, Limits
from spillway.domain.keys import Key, Secret
from spillway.domain.rates import HOLD_S
from spillway.errors import KeyRefused, RateLimited
from spillway.ports.store import Store
from spillway.services.budgets import Budgets
from spillway.services.keyring import STALE_S, Keyring
from spillway.services.keys import Keys
from spillway.services.rates import Rates

INSTANCES = 3


@pytest.fixture(params=["memory", "sqlite", "firestore"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Store]]:
    """A way to the same documents for each instance."""
    made: list[Store]
    if request.param == "memory":
        made = [MemoryStore()] * INSTANCES
    elif request.param == "sqlite":
        made = [SqliteStore(tmp_path / "state.db", timeout_s=20.0) for _ in range(INSTANCES)]
    else:
        one = firestore(request)
        made = [one] * INSTANCES
    # Nobody waits longer than a second for a rate, and an emulator's first answer may take that.
    for store in made:
        await store.read("nothing", "yet")
    yield made
    await asyncio.gather(*(store.close() for store in made))


async def test_many_at_once_get_the_burst_and_one_ahead_an_instance(stores: list[Store]) -> None:
    caller = Caller("key", limits=Limits(0.001, 20))
    rates = [Rates(store, epoch=time.time) for store in stores]

    async def admitted(one: Rates) -> bool:
        try:
            await one.admit(caller)
        except RateLimited:
            return False
        return True

    let_in = await asyncio.gather(*(admitted(rates[n % INSTANCES]) for n in range(90)))
    assert 20 - INSTANCES <= sum(let_in) <= 20 + INSTANCES + 0.001 * HOLD_S
    await asyncio.gather(*(one.close() for one in rates))


async def test_a_keys_money_is_not_passed_and_that_of_others_not_touched(stores: list[Store]) -> None:
    budgets = [Budgets(store, 10.0, epoch=time.time) for store in stores]
    poor, rich = Caller("poor", limits=Limits(usd_per_day=0.1)), Caller("rich")
    spent = dict.fromkeys((poor, rich), 0)
    for place in range(60):
        for caller in spent:
            money = budgets[place % INSTANCES].of(caller)
            await money.prepare(0.01)
            spent[caller] += money.reserve(0.01, time.time()) is not None
    assert spent[poor] <= 10
    assert spent[poor] >= 8, "small grants that other instances hold"
    assert spent[rich] == 60
    await asyncio.gather(*(one.close() for one in budgets))


async def test_a_key_lives_and_ends_on_all_instances(stores: list[Store]) -> None:
    moved = [0.0]
    keys = Keys(stores[0], epoch=time.time, by="me")
    rings = [Keyring(store, epoch=time.time, monotonic=lambda: time.monotonic() + moved[0]) for store in stores]
    made = await keys.create(Key(id="", name="dapp"))
    assert {(await ring.admit(made.token)).id for ring in rings} == {made.key.id}
    rotated = await keys.rotate(made.key.id, 600.0)
    assert {(await ring.admit(rotated.token)).id for ring in rings} == {made.key.id}
    await keys.revoke(made.key.id)
    moved[0] += STALE_S + 0.1
    for ring in rings:
        with pytest.raises(KeyRefused):
            await ring.admit(rotated.token)
    await asyncio.gather(*(ring.close() for ring in rings))


async def test_of_two_operators_at_once_neither_is_lost(stores: list[Store]) -> None:
    operators = [Keys(store, epoch=time.time, by=f"operator {place}") for place, store in enumerate(stores)]
    made = await operators[0].create(Key(id=""))
    await asyncio.gather(*(operator.rotate(made.key.id, 600.0) for operator in operators))
    [kept] = await operators[0].list()
    assert len(kept.secrets) == 1 + INSTANCES
    assert {event.by for event in kept.events} == {f"operator {place}" for place in range(INSTANCES)}


async def test_keys_that_ended_long_ago_are_forgotten_with_what_they_left(stores: list[Store]) -> None:
    now = [time.time()]
    keys = Keys(stores[0], epoch=lambda: now[0], by="me")
    ended = await keys.create(Key(id="", secrets=(Secret("x"),)))
    await stores[0].write("rates", ended.key.id, {})
    await keys.revoke(ended.key.id)
    now[0] += 89 * 86400.0
    kept = await keys.create(Key(id=""))
    assert len(await keys.list()) == 2
    now[0] += 2 * 86400.0
    newest = await keys.create(Key(id=""))
    assert [key.id for key in await keys.list()] == [newest.key.id, kept.key.id]
    assert await stores[0].read("rates", ended.key.id) is None
