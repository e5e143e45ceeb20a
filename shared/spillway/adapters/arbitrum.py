"""The chain of the TicketBroker, read from its nodes."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from spillway.adapters.chain_decorations import ChainDecorations
from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.json_rpc import LOGS, Node
from spillway.domain.chain_answers import Block, Question, read_block, read_logs, read_quantity
from spillway.domain.redemptions import Decorations, Redemption
from spillway.domain.tickets import Log, Ticket, paired
from spillway.errors import ChainUnavailable, ChainWrong
from spillway.ports.redemptions import Stretch

AT_ONCE = 8
"""Headers and receipts that are asked for side by side."""


class Arbitrum:
    """Adapter of ports.redemptions.Chain. `confirmations` None takes the chain's own word for what is final."""

    def __init__(
        self,
        nodes: Nodes,
        *,
        chain_id: int,
        broker: str,
        senders: Sequence[str],
        confirmations: int | None = None,
        decorator: ChainDecorations | None = None,
    ):
        self.id = chain_id
        self._nodes, self._broker, self._senders = nodes, broker, senders
        self._confirmations, self._decorator = confirmations, decorator

    async def check(self) -> None:
        """Each node is looked at before it is first asked, so any question does."""
        await self._nodes.in_turn(_height)

    async def final(self) -> Block:
        """The block that the chain calls finalized, or the one with so many on top."""
        return (await self._nodes.in_turn(self._final))[0]

    async def block(self, number: int) -> Block:
        """A block by its number."""
        return (await self._nodes.in_turn(partial(_block, number=number)))[0]

    async def stretch(self, first: int, last: int) -> Stretch:
        """Asked of one node, and of another where there is one: they must agree."""
        question = Question(self._broker, self._senders, first, last)
        (end, logs), node = await self._nodes.in_turn(partial(_logs, question=question))
        witnesses = 1
        second = await self._nodes.another(node, partial(_logs, question=question))
        if second is not None:
            if second[0] != (end, logs):
                raise ChainWrong(f"{node.name} and {second[1].name} disagree on blocks {first} to {last}")
            witnesses = 2
        tickets, _ = await self._nodes.in_turn(partial(_timed, question=question, logs=logs))
        return Stretch(end, tickets, witnesses)

    async def decorations(self, redemptions: Sequence[Redemption]) -> list[Decorations]:
        """What can be had."""
        if self._decorator is None:
            return [Decorations()] * len(redemptions)
        return await self._decorator.of(redemptions)

    async def close(self) -> None:
        """Close all connections."""
        await self._nodes.close()

    async def _final(self, node: Node) -> Block:
        if self._confirmations is None:
            return read_block(await node.call("eth_getBlockByNumber", "finalized", False))
        return await _block(node, max(0, await _height(node) - self._confirmations))


async def _height(node: Node) -> int:
    return read_quantity(await node.call("eth_blockNumber"))


async def _block(node: Node, number: int) -> Block:
    answer = await node.call("eth_getBlockByNumber", hex(number), False)
    if answer is None and await _height(node) < number:
        raise ChainUnavailable(f"{node.name} is behind: it has no block {number} yet")
    return read_block(answer, number)


async def _logs(node: Node, question: Question) -> tuple[Block, list[Log]]:
    """The logs between two looks at the last block: if it is still the same, they are of one chain, and all there."""
    before = await _block(node, question.last)
    logs = read_logs(await node.call(LOGS, question.filter()), question)
    end = await _block(node, question.last)
    if before != end:
        raise ChainUnavailable(f"{node.name} reorganised block {question.last} while it was read")
    return end, logs


async def _timed(node: Node, question: Question, logs: Sequence[Log]) -> list[tuple[Ticket, int]]:
    """The tickets of logs, held to the blocks that they say they are in."""
    tickets = list(paired(logs))
    blocks = await _blocks(node, {log.block_number: log.block_hash for log in logs})
    await _confirm_unpaid(node, question, logs, tickets)
    return [(ticket, blocks[ticket.log.block_number].timestamp) for ticket in tickets]


async def _blocks(node: Node, hashes: dict[int, str]) -> dict[int, Block]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Block:
        async with room:
            return await _block(node, number)

    blocks = await asyncio.gather(*map(one, hashes))
    for block in blocks:
        if block.hash != hashes[block.number]:
            raise ValueError(f"a log is in block {hashes[block.number]}, but block {block.number} is {block.hash}")
    return {block.number: block for block in blocks}


async def _confirm_unpaid(node: Node, question: Question, logs: Sequence[Log], tickets: Iterable[Ticket]) -> None:
    """A ticket that was paid nothing looks like one whose transfer was left out: its transaction's receipt tells."""
    for transaction in sorted({ticket.log.tx_hash for ticket in tickets if not ticket.amount_wei}):
        receipt = await node.call("eth_getTransactionReceipt", transaction)
        emitted = receipt.get("logs") if isinstance(receipt, dict) else None
        if not isinstance(emitted, list):
            raise ValueError(f"the receipt of {transaction} is missing")  # noqa: TRY004 (not a type of ours)
        if read_logs(question.matching(emitted), question) != [log for log in logs if log.tx_hash == transaction]:
            raise ValueError(f"the logs of {transaction} are not those of its receipt")
