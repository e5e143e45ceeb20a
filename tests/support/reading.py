"""Readings of a node's chain in this process, and what they should have come to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi import decode
from web3 import Web3

from spillway.adapters.arbitrum import Arbitrum
from spillway.adapters.chain_decorations import ChainDecorations, Contracts
from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.ens_names import EnsNames
from spillway.adapters.json_rpc import Node
from spillway.adapters.sqlite_outbox import SqliteOutbox
from spillway.adapters.sqlite_redemptions import SqliteRedemptions
from spillway.domain.redemptions import LATEST, Redemption
from spillway.domain.tickets import REDEEMED, TRANSFER
from spillway.ports.outbox import REDEMPTION, Entry, Outbox
from spillway.ports.redemptions import Redemptions
from spillway.services.redemptions import Reader, Report, reading
from support.chain import CHAIN_ID, GATEWAY, Anvil

SENDERS = (GATEWAY,)
NOTHING = Contracts()
Told = tuple[str, int, int, str, int]
"""Transaction, log index, block, recipient and amount of a redemption."""


@dataclass
class Reading:
    """A scan and what it keeps."""

    chain: Arbitrum
    redemptions: Redemptions
    outbox: Outbox
    reader: Reader

    async def round(self, **more: Any) -> Report:
        """One round that leaves nothing."""
        report = await self.reader.round(**more)
        assert report.problems == []
        return report

    async def stored(self, *, removed: bool = False) -> list[Redemption]:
        """All that is stored, the oldest first."""
        page = await self.redemptions.page(since=0, before=LATEST, removed=removed, after=None, limit=100_000)
        return list(reversed(page.redemptions))

    async def told(self) -> list[Told]:
        """The same in short."""
        return [short(one) for one in await self.stored()]

    async def announced(self) -> list[Entry]:
        """Every announcement, in order."""
        return await self.outbox.pending(100_000)


@asynccontextmanager
async def reading_of(
    node: Anvil, state: Path, *urls: str, first: int = 0, confirmations: int | None = 0,
    senders: Sequence[str] = SENDERS, try_s: float = 10.0, patience_s: float = 0.0, contracts: Contracts = NOTHING,
    within_s: float = 5.0, ens: EnsNames | None = None,
) -> AsyncIterator[Reading]:  # fmt: skip
    """A scan that asks the nodes at these URLs, by default the real one."""
    nodes = Nodes(
        [Node(url, try_s=try_s) for url in urls or (node.url,)],
        chain_id=CHAIN_ID, broker=node.broker, patience_s=patience_s,
    )  # fmt: skip
    chain = Arbitrum(
        nodes, chain_id=CHAIN_ID, broker=node.broker, senders=senders, confirmations=confirmations,
        decorator=ChainDecorations(nodes, contracts, node.broker, within_s=within_s, ens=ens),
    )  # fmt: skip
    redemptions, outbox = SqliteRedemptions(state), SqliteOutbox(state)
    reader = Reader(chain, redemptions, reading("scan", CHAIN_ID, node.broker, senders, first))
    try:
        yield Reading(chain, redemptions, outbox, reader)
    finally:
        await chain.close()
        await redemptions.close()
        await outbox.close()


def truth(node: Anvil, first: int = 0) -> list[Told]:
    """The redemptions that the real node's logs tell of, read by another library's decoder."""
    found: list[Told] = []
    amount = 0
    for log in node.logs(first):
        data, topics = bytes.fromhex(log["data"][2:]), log["topics"]
        if topics[0] == TRANSFER:
            [amount] = decode(["uint256"], data)
        elif topics[0] == REDEEMED:
            if Web3.to_checksum_address("0x" + topics[1][-40:]) == GATEWAY:
                recipient = Web3.to_checksum_address("0x" + topics[2][-40:])
                found.append(
                    (log["transactionHash"], int(log["logIndex"], 16), int(log["blockNumber"], 16), recipient, amount)
                )
            amount = 0
    return found


def short(one: Redemption) -> Told:
    """A redemption as the truth is told."""
    return one.tx_hash, one.log_index, one.block_number, one.recipient, one.amount_wei


def believed(entries: Sequence[Entry]) -> list[Told]:
    """What somebody knows who heard nothing but the announcements."""
    known: dict[str, Told] = {}
    for entry in entries:
        if entry.kind == REDEMPTION:
            assert _key(entry.body) not in known, "a redemption was announced twice"
        else:
            known.pop(_key(entry.body["before"]), None)
        if entry.body["status"] != "removed":
            body = entry.body
            place = body["tx_hash"], body["log_index"], body["block_number"]
            known[_key(body)] = (*place, body["recipient"], int(body["amount_wei"]))
    return sorted(known.values(), key=lambda told: (told[2], told[1]))


def _key(body: dict[str, Any]) -> str:
    return f"{body['chain_id']}-{body['tx_hash']}-{body['log_index']}"
