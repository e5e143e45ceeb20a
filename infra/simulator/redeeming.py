"""Orchestrators that redeem their winning tickets: two weeks of it, and then as they serve."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from simulator.anvil import anvil, binary
from simulator.chain import Chain
from simulator.tickets import BROKER, CERTAIN, GATEWAY, TicketBroker, WinningTicket

CHAIN_ID = 31337
DAY_S = 86_400
PAST_DAYS = 14
WINS_A_DAY = (3, 9)
ORCHESTRATORS = tuple(f"0x{0x0C4E << 144 | number << 8 | 0xA1:040x}" for number in range(1, 7))
# The first has most of the work, as is the way of things.
SHARES = (8, 5, 3, 2, 1, 1)
ETH = 10**18
FACE_WEI = (6 * ETH // 1000, 12 * ETH // 1000)
DEPOSIT_WEI, RESERVE_WEI = 2 * ETH, ETH // 2
ONE_WINS_OF = 16
FIRST_ROUND = 3500
LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the simulated chain, and what the front door must know of it."""

    url: str
    kind: str
    chain_id: int = CHAIN_ID
    broker: str = BROKER
    sender: str = GATEWAY


@asynccontextmanager
async def redeemed(served: Callable[[], int], seed: int, path: str | None = None) -> AsyncIterator[Node]:
    """A chain on which winning tickets of what was `served` are redeemed; anvil's where it is there.

    `path` is anvil's, "" for none.
    """
    path = binary() if path is None else path
    now = time.time()
    began = int(now) // DAY_S * DAY_S - PAST_DAYS * DAY_S - 1
    chance = Random(seed)
    async with _node(path, began) as url:
        broker = TicketBroker(url)
        await broker.deploy(DEPOSIT_WEI, RESERVE_WEI)
        task = asyncio.create_task(_redeem(broker, served, chance, now))
        try:
            yield Node(url, "anvil" if path else "stand-in")
        finally:
            task.cancel()
            await asyncio.wait([task])
            await broker.close()
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def _node(path: str | None, began: int) -> AsyncIterator[str]:
    if path:
        async with anvil(path, CHAIN_ID, began) as url:
            yield url
    else:
        async with Chain(CHAIN_ID, began).serve() as chain:
            yield chain.url


async def _redeem(broker: TicketBroker, served: Callable[[], int], chance: Random, now: float) -> None:
    for at in _past(chance, now):
        await broker.redeem(_won(chance, at), at)
    counted = 0
    while True:
        await asyncio.sleep(LOOK_S)
        for _ in range(served() - counted):
            counted += 1
            if chance.random() < 1 / ONE_WINS_OF:
                await broker.redeem(_won(chance, time.time()), time.time())


def _past(chance: Random, now: float) -> Iterator[float]:
    """When something was redeemed in the days before today."""
    today = now // DAY_S * DAY_S
    for day in range(PAST_DAYS, 0, -1):
        moments = (chance.uniform(0, DAY_S) for _ in range(chance.randint(*WINS_A_DAY)))
        yield from (today - day * DAY_S + moment for moment in sorted(moments))


def _won(chance: Random, at: float) -> WinningTicket:
    [recipient] = chance.choices(ORCHESTRATORS, SHARES)
    face_wei = chance.randint(*FACE_WEI)
    return WinningTicket(recipient, face_wei, CERTAIN // ONE_WINS_OF, FIRST_ROUND + int(at) // DAY_S % 1000)
