"""What is good to know beside a redemption: who the orchestrator is, what the gas cost, what an ether is worth.

All of it can be done without: it has a short time, and what is not there by then is left out.
"""

import asyncio
import logging
import re
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.ens_names import EnsNames
from spillway.adapters.json_rpc import Node
from spillway.domain.chain_answers import read_data, read_quantity
from spillway.domain.keccak import keccak_256
from spillway.domain.redemptions import Decorations, Redemption
from spillway.domain.tickets import REDEEMED, topic_of
from spillway.errors import ChainError, SpillwayError

WITHIN_S = 5.0
AT_ONCE = 8
MOST_LEARNT = 10_000
STALE_S = 86_400
"""The feed's heartbeat: a round that is older, or a redemption that is, has no price of its time."""

# Whoever chooses a name is not trusted with more than a host's own letters.
_NAME = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,100}")
_SERVICE_URI = "0x" + keccak_256(b"getServiceURI(address)")[:4].hex()
_LATEST_ROUND = "0x" + keccak_256(b"latestRoundData()")[:4].hex()
_DECIMALS = "0x" + keccak_256(b"decimals()")[:4].hex()
log = logging.getLogger("spillway.chain")


@dataclass(frozen=True, slots=True)
class Contracts:
    """Where a chain has them: registries of service URIs in the order of asking, and Chainlink's feed of ETH in USD."""

    registries: Sequence[str] = ()
    eth_usd_feed: str | None = None


ARBITRUM_ONE = Contracts(
    registries=("0x04C0b249740175999E5BF5c9ac1dA92431EF34C5", "0xC92d3A360b8f9e083bA64DE15d95Cf8180897431"),
    eth_usd_feed="0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612",
)


@dataclass(slots=True)
class _Told:
    """What has been found out for one batch: gas parts in wei by transaction, the price and when it was set."""

    names: dict[str, str | None]
    gas: dict[str, int] = field(default_factory=dict)
    eth_usd: str | None = None
    priced_at: int = 0

    def of(self, one: Redemption) -> Decorations:
        fresh = self.eth_usd is not None and abs(self.priced_at - one.timestamp) <= STALE_S
        return Decorations(self.names.get(one.recipient), self.gas.get(one.tx_hash), self.eth_usd if fresh else None)


class ChainDecorations:
    """Decorates redemptions. Names are remembered for as long as the process lives."""

    def __init__(
        self,
        nodes: Nodes,
        contracts: Contracts,
        broker: str,
        *,
        ens: EnsNames | None = None,
        within_s: float = WITHIN_S,
    ):
        self._nodes, self._contracts, self._broker = nodes, contracts, broker.lower()
        self._ens, self._within_s = ens, within_s
        self._names: dict[str, str | None] = {}
        self._learnt: dict[str, int] = {}

    def learn(self, transaction: str, receipt: Any) -> None:
        """What a receipt says that was asked for already."""
        with suppress(ValueError, LookupError, TypeError):
            if len(self._learnt) >= MOST_LEARNT:
                self._learnt.clear()
            self._learnt[transaction] = self._part(receipt)

    async def of(self, redemptions: Sequence[Redemption]) -> list[Decorations]:
        """In the same order. Never raises for what is outside."""
        transactions = {one.tx_hash for one in redemptions}
        told = _Told(self._names, {one: self._learnt[one] for one in transactions & self._learnt.keys()})
        jobs = [self._price(told), *self._asking_for_names(told, redemptions)]
        jobs += [self._gas(told, transaction) for transaction in sorted(transactions - told.gas.keys())]
        room = asyncio.Semaphore(AT_ONCE)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._within_s):
                await asyncio.gather(*(_in(room, job) for job in jobs))
        for job in jobs:
            job.close()
        return [told.of(one) for one in redemptions]

    def _asking_for_names(self, told: _Told, redemptions: Sequence[Redemption]) -> list[Coroutine[Any, Any, None]]:
        if not self._contracts.registries and not self._ens:
            return []
        unnamed = {one.recipient for one in redemptions} - told.names.keys()
        return [self._name(told, recipient) for recipient in sorted(unnamed)]

    async def _price(self, told: _Told) -> None:
        """Chainlink's latest round: answer and time are its second and fourth word."""
        feed = self._contracts.eth_usd_feed
        if feed is None:
            return
        words = _words(await self._read(feed, _LATEST_ROUND))
        [decimals, *_] = _words(await self._read(feed, _DECIMALS))
        if len(words) == 5 and 0 < words[1] < 2**255 and decimals < 40:
            told.priced_at = words[3]
            told.eth_usd = f"{Decimal(words[1]).scaleb(-decimals):f}"

    async def _name(self, told: _Told, recipient: str) -> None:
        """ENS's, else the host of the first service URI that a registry knows; None is remembered where none knows."""
        name = await self._ens_name(recipient)
        for registry in [] if name else self._contracts.registries:
            uri = _text(await self._read(registry, _SERVICE_URI + topic_of(recipient)[2:]))
            name = _checked(urlsplit(uri).netloc.rpartition("@")[2])
            if name:
                break
        told.names[recipient] = name

    async def _ens_name(self, recipient: str) -> str | None:
        if self._ens is None:
            return None
        try:
            return _checked(await self._ens.name(recipient))
        except ChainError as error:
            log.info("a name can't be had: %s", error)
            return None

    async def close(self) -> None:
        """Let go of what is asked for names."""
        if self._ens:
            await self._ens.close()

    async def _gas(self, told: _Told, transaction: str) -> None:
        told.gas[transaction] = self._part(await self._call("eth_getTransactionReceipt", transaction))

    def _part(self, receipt: Any) -> int:
        """A transaction's redemptions bear equal parts of its cost, whoever's they are."""
        shared_by = sum(self._redeems(log) for log in receipt["logs"])
        cost = read_quantity(receipt["gasUsed"]) * read_quantity(receipt["effectiveGasPrice"])
        return cost // max(1, shared_by)

    def _redeems(self, log: Any) -> bool:
        return str(log["address"]).lower() == self._broker and log["topics"][:1] == [REDEEMED]

    async def _read(self, contract: str, data: str) -> bytes:
        return read_data(await self._call("eth_call", {"to": contract, "data": data}, "latest"))

    async def _call(self, method: str, *params: Any) -> Any:
        async def job(node: Node) -> Any:
            return await node.call(method, *params)

        return (await self._nodes.in_turn(job))[0]


async def _in(room: asyncio.Semaphore, job: Coroutine[Any, Any, None]) -> None:
    """An answer of a shape that was not expected is no decoration either."""
    async with room:
        try:
            await job
        except (SpillwayError, ValueError, LookupError, TypeError) as error:
            log.info("a decoration can't be had: %s", error)


def _checked(name: str | None) -> str | None:
    return name if name and _NAME.fullmatch(name) else None


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]


def _text(data: bytes) -> str:
    """A string as the one return value: where it begins, its length, its bytes."""
    [at, *_] = _words(data)
    size = int.from_bytes(data[at : at + 32], "big")
    return data[at + 32 : at + 32 + size].decode(errors="replace")
