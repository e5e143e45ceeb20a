"""The demo's chain: what is redeemed on it is what the product reads, from anvil and from its stand-in alike."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simulator.anvil import anvil, binary
from simulator.chain import Chain
from simulator.redeeming import CHAIN_ID, PAST_DAYS, WINS_A_DAY, Node, redeemed
from simulator.tickets import BROKER, CERTAIN, GATEWAY, TicketBroker, WinningTicket
from spillway.adapters.arbitrum import Arbitrum
from spillway.adapters.chain_deposits import ChainDeposits
from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.json_rpc import Node as RpcNode
from spillway.domain.addresses import checksummed
from spillway.domain.deposit import Funds

NOON = 1_790_000_000
ORCHESTRATOR = "0x00000000000000000000000000000000000000a1"


@asynccontextmanager
async def node(kind: str) -> AsyncIterator[str]:
    if kind == "stand-in":
        async with Chain(CHAIN_ID, NOON).serve() as chain:
            yield chain.url
        return
    path = binary()
    if path is None:
        missing = "there is no anvil: run `make tests/chain/node_modules`"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    async with anvil(path, CHAIN_ID, NOON) as url:
        yield url


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[tuple[Arbitrum, ChainDeposits]]:
    """What the product reads a chain with."""
    nodes = Nodes([RpcNode(url)], chain_id=CHAIN_ID, broker=BROKER)
    chain = Arbitrum(nodes, chain_id=CHAIN_ID, broker=BROKER, senders=[GATEWAY], confirmations=0)
    try:
        yield chain, ChainDeposits(nodes, BROKER)
    finally:
        await chain.close()


@pytest.mark.parametrize("kind", ["anvil", "stand-in"])
async def test_what_is_redeemed_is_what_is_read(kind: str) -> None:
    tickets = [WinningTicket(ORCHESTRATOR, 10**16 + number, CERTAIN // 7, 3500) for number in range(3)]
    async with node(kind) as url, reading(url) as (chain, deposits):
        broker = TicketBroker(url)
        await broker.deploy(deposit_wei=5, reserve_wei=7)
        for number, ticket in enumerate(tickets):
            await broker.redeem(ticket, NOON + 60 + number * 3600)
        await broker.redeem(WinningTicket(ORCHESTRATOR, 1, CERTAIN, 3500, sender=ORCHESTRATOR), NOON)
        await broker.close()
        stretch = await chain.stretch(0, (await chain.final()).number)
        assert await deposits.funds(GATEWAY) == Funds(5, 7, 0, 0)
    read = [
        (ticket.recipient, ticket.amount_wei, ticket.face_value_wei, ticket.win_prob, ticket.round, at)
        for ticket, at in stretch.tickets
    ]
    assert read == [
        (checksummed(one.recipient), one.face_value_wei, one.face_value_wei, one.win_prob, 3500, NOON + 60 + n * 3600)
        for n, one in enumerate(tickets)
    ]


async def count(node: Node) -> int:
    async with reading(node.url) as (chain, _):
        return len((await chain.stretch(0, (await chain.final()).number)).tickets)


async def test_some_of_what_is_served_wins_after_two_weeks_of_it() -> None:
    served = 0
    async with redeemed(lambda: served, seed=1, path="") as chain:
        past, before = 0, -1
        async with asyncio.timeout(30):
            while past != before:
                await asyncio.sleep(0.3)
                past, before = await count(chain), past
            assert PAST_DAYS * WINS_A_DAY[0] <= past <= PAST_DAYS * WINS_A_DAY[1]
            served = 160
            while not past < await count(chain) <= past + served:
                await asyncio.sleep(0.1)
