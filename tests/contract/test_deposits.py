"""Who tells deposits and tickets: the chain, and the gateway's own ports."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from simulator import GatewayCliApi
from spillway.adapters.chain_deposits import ChainDeposits
from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.gateway_cli import GatewayCli
from spillway.adapters.gateway_metrics import GatewayMetrics
from spillway.adapters.http import HttpPool
from spillway.adapters.json_rpc import Node
from spillway.domain.deposit import Funds
from spillway.domain.ticket_counts import Counters
from spillway.errors import BadSettings, ChainError, Overflow
from support.chain import CHAIN_ID, ETH, GATEWAY, Anvil, anvil, orchestrator
from support.front_door import free_port

ROUTE = "text-to-image stabilityai/sdxl-turbo"
Gateway = tuple[GatewayCliApi, HttpPool]


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with GatewayCliApi().serve() as api, HttpPool() as pool:
        yield api, pool


def on_chain(*urls: str, broker: str) -> ChainDeposits:
    return ChainDeposits(Nodes([Node(url) for url in urls], chain_id=CHAIN_ID, broker=broker, patience_s=0.1), broker)


async def test_the_chain_tells_deposit_reserve_and_unlock(node: Anvil) -> None:
    node.send("TicketBroker", node.broker, "fund", GATEWAY, 3 * ETH, 3507, ETH // 2)
    # A node that is down is passed by.
    deposits = on_chain(f"http://127.0.0.1:{free_port()}", node.url, broker=node.broker)
    assert await deposits.funds(GATEWAY) == Funds(3 * ETH, ETH // 2, 0, 3507)
    assert await deposits.funds(orchestrator(9)) == Funds(0, 0)
    await deposits.close()


async def test_a_chain_that_gives_no_answer_is_a_chain_error() -> None:
    deposits = on_chain(f"http://127.0.0.1:{free_port()}", broker=GATEWAY)
    with pytest.raises(ChainError):
        await deposits.funds(GATEWAY)
    await deposits.close()


async def test_a_contract_that_is_not_there_is_a_wrong_setting(node: Anvil) -> None:
    deposits = on_chain(node.url, broker=orchestrator(5))
    with pytest.raises(BadSettings):
        await deposits.funds(GATEWAY)
    await deposits.close()


async def test_the_gateway_tells_its_own_deposit(gateway: Gateway) -> None:
    api, pool = gateway
    api.deposit_wei, api.reserve_wei, api.withdraw_round = 2**70, 7, 12
    assert await GatewayCli(pool, base_url=api.url).funds(GATEWAY) == Funds(2**70, 7, 0, 12)


async def test_the_gateway_tells_what_it_counted(gateway: Gateway) -> None:
    api, pool = gateway
    api.tickets, api.value_gwei, api.jobs, api.price_wei = 9180, 2.5e6, 900, 1e4
    counters = await GatewayMetrics(pool, f"{api.url}/metrics").counters()
    assert counters == Counters(9180, 2.5e15, {ROUTE: 900}, {ROUTE: 1e4})


@pytest.mark.parametrize("kind", ["status", "close", "reset", "cut", "empty", "hang", "not_json"])
async def test_a_gateway_that_fails_is_an_overflow(gateway: Gateway, kind: Any) -> None:
    api, pool = gateway
    api.faults.add(kind)
    with pytest.raises(Overflow):
        await GatewayCli(pool, base_url=api.url, try_s=0.1, call_s=0.3).funds(GATEWAY)
    with pytest.raises(Overflow):
        await GatewayMetrics(pool, f"{api.url}/metrics", try_s=0.2).counters()


async def test_metrics_of_something_else_are_refused(gateway: Gateway) -> None:
    api, pool = gateway
    api.faults.add("status", status=200, body="# TYPE up gauge\nup 1\n")
    with pytest.raises(Overflow, match="don't speak of tickets"):
        await GatewayMetrics(pool, f"{api.url}/metrics").counters()
