"""Orders for every route at once."""

import pytest

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.overrides import Override
from spillway.domain.routes import Route, Routes
from spillway.errors import BadSettings
from spillway.services.orders import Orders

ROUTES = Routes({}, [Route(pipeline="text-to-image"), Route(pipeline="llm"), Route(pipeline="llm", model="a/b")])


async def in_force(orders: Orders) -> dict[str, str]:
    return {name: order["mode"] for name, order in (await orders.show())["orders"].items()}


async def test_all_is_every_pipeline_and_no_narrower_order_stands_against_it() -> None:
    orders = Orders(MemoryStore(), ROUTES)
    await orders.set("llm a/b", Override("subnet-only"))
    assert await orders.set("all", Override("fallback-only")) == "all"
    assert await in_force(orders) == {"llm": "fallback-only", "text-to-image": "fallback-only"}


async def test_all_orders_are_taken_back_at_once() -> None:
    orders = Orders(MemoryStore(), ROUTES)
    await orders.set("all", Override("off"))
    await orders.set("llm a/b", Override("subnet-only"))
    await orders.reset("all")
    assert await in_force(orders) == {}


async def test_an_unknown_route_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(BadSettings, match="use one of llm, text-to-image, all"):
        await Orders(MemoryStore(), ROUTES).set("everything", Override("off"))
