"""A caller's jobs are paid from the day's money of all, and from the key's own where that is limited."""

from collections.abc import AsyncIterator, Callable

import pytest

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.budget import DAY_S
from spillway.domain.callers import Caller, Limits
from spillway.services.budgets import Budgets

NOON = 20_000 * DAY_S + 43_200.0
USD = 0.01
Make = Callable[[float | None], Budgets]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Budgets] = []

    def one(usd_per_day: float | None) -> Budgets:
        made.append(Budgets(MemoryStore(), usd_per_day, epoch=lambda: NOON))
        return made[-1]

    yield one
    for budgets in made:
        await budgets.close()


def limited(usd_per_day: float | None, name: str = "key") -> Caller:
    return Caller(name, limits=Limits(usd_per_day=usd_per_day))


async def jobs(budgets: Budgets, caller: Caller, asked: int) -> int:
    """How many of so many jobs can be paid for."""
    money, paid = budgets.of(caller), 0
    for _ in range(asked):
        await money.prepare(USD)
        paid += money.reserve(USD, NOON) is not None
    return paid


async def test_a_key_without_a_limit_has_the_money_of_all(make: Make) -> None:
    budgets = make(0.05)
    assert budgets.of(limited(None)) is budgets.everybody
    assert await jobs(budgets, limited(None), 10) == 5


async def test_a_limit_holds_for_its_key_alone(make: Make) -> None:
    budgets = make(None)
    assert await jobs(budgets, limited(0.03, "a"), 10) == 3
    assert await jobs(budgets, limited(0.02, "b"), 10) == 2
    assert await jobs(budgets, limited(None), 10) == 10


async def test_a_limit_holds_over_requests_that_ask_for_their_money_anew(make: Make) -> None:
    budgets = make(None)
    assert sum([await jobs(budgets, limited(0.03), 1) for _ in range(10)]) == 3


async def test_without_money_of_its_own_a_key_has_no_hosted_inference(make: Make) -> None:
    budgets = make(1.0)
    assert await jobs(budgets, limited(0.0), 3) == 0
    assert budgets.of(limited(0.0)).seconds_left(NOON, USD) > DAY_S / 2 - 1


async def test_what_the_money_of_all_does_not_hold_is_not_taken_from_the_key(make: Make) -> None:
    budgets = make(0.02)
    assert await jobs(budgets, limited(1.0), 5) == 2
    own = budgets._own["key", 1.0]
    assert sum(day.purse.spent for day in own._days.values()) == 20_000


async def test_what_was_not_billed_comes_back_to_both(make: Make) -> None:
    budgets = make(0.01)
    money = budgets.of(limited(0.01))
    for _ in range(3):
        await money.prepare(USD)
        held = money.reserve(USD, NOON)
        assert held is not None
        assert money.reserve(USD, NOON) is None
        money.release(held)
        money.release(held)


async def test_a_refusal_says_when_both_may_hold_a_job_again(make: Make) -> None:
    budgets = make(None)
    money = budgets.of(limited(0.02))
    assert await jobs(budgets, limited(0.02), 3) == 2
    assert DAY_S / 2 <= money.seconds_left(NOON, USD) < DAY_S / 2 + 60


async def test_what_a_key_may_spend_is_given_back_when_an_instance_leaves(make: Make) -> None:
    store = MemoryStore()
    first, second = (Budgets(store, None, epoch=lambda: NOON) for _ in range(2))
    assert await jobs(first, limited(0.05), 2) == 2
    await first.close()
    assert await jobs(second, limited(0.05), 9) == 3
    await second.close()
    assert [document.key for document in await store.list("key_spending")] == ["2024-10-04 key"]
