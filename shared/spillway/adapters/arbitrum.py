"""The chain of the TicketBroker, read from its nodes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from spillway.adapters.chain_decorations import ChainDecorations
from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.json_rpc import LOGS, Node
from spillway.domain.chain_answers import Block, Question, read_block, read_logs, read_quantity
from spillway.domain.redemptions import Decorations, Redemption
from spillway.domain.tickets import Log, Ticket, paired
from spillway.errors import ChainUnavailable, ChainWrong
from spillway.ports.redemptions import Stretch

S = TypeVar("S")
T = TypeVar("T")

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
        answer, node = await self._nodes.in_turn(partial(_answer, question=question))
        second = await self._nodes.another(node, partial(_answer, question=question))
        if second is not None and second[0] != answer:
            raise ChainWrong(f"{node.name} and {second[1].name} disagree on blocks {first} to {last}")
        witnesses = 1 if second is None else 2
        return Stretch(answer.end, await self._held(question, answer, witnesses), witnesses)

    async def decorations(self, redemptions: Sequence[Redemption]) -> list[Decorations]:
        """What can be had."""
        if self._decorator is None:
            return [Decorations()] * len(redemptions)
        return await self._decorator.of(redemptions)

    async def close(self) -> None:
        """Close all connections."""
        await self._nodes.close()
        if self._decorator:
            await self._decorator.close()

    async def _held(self, question: Question, answer: "_Answer", witnesses: int) -> list[tuple[Ticket, int]]:
        """The tickets with their blocks' times, held to these blocks, and to receipts where that is needed.

        A ticket that was paid nothing looks like one whose transfer was left out, and what one node alone says could
        be invented: receipts tell. Each is asked for in turn by itself: where a node limits the rate of calls, a range
        with many redemptions would else never come through whole.
        """
        blocks = await self._blocks({log.block_number: log.block_hash for log in answer.logs})
        doubtful = {one.log.tx_hash for one in answer.tickets if witnesses == 1 or not one.amount_wei}
        by_transaction: dict[str, list[Log]] = {}
        for log in answer.logs:
            if log.tx_hash in doubtful:
                by_transaction.setdefault(log.tx_hash, []).append(log)
        await _side_by_side(partial(self._hold_to_receipt, question), by_transaction.items())
        return [(ticket, blocks[ticket.log.block_number].timestamp) for ticket in answer.tickets]

    async def _blocks(self, hashes: dict[int, str]) -> dict[int, Block]:
        async def one(place: tuple[int, str]) -> Block:
            return (await self._nodes.in_turn(partial(_block_of, place=place)))[0]

        return {block.number: block for block in await _side_by_side(one, hashes.items())}

    async def _hold_to_receipt(self, question: Question, given: tuple[str, Sequence[Log]]) -> None:
        transaction, logs = given

        async def checked(node: Node) -> Any:
            receipt = await node.call("eth_getTransactionReceipt", transaction)
            _check_receipt(transaction, receipt, question, logs)
            return receipt

        receipt, _ = await self._nodes.in_turn(checked)
        if self._decorator:
            self._decorator.learn(transaction, receipt)

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


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a node says of a range."""

    end: Block
    logs: list[Log]
    tickets: list[Ticket]


async def _answer(node: Node, question: Question) -> _Answer:
    """The logs between two looks at the last block: if it is still the same, they are of one chain, and all there."""
    before = await _block(node, question.last)
    logs = read_logs(await node.call(LOGS, question.filter()), question)
    end = await _block(node, question.last)
    if before != end:
        raise ChainUnavailable(f"{node.name} reorganised block {question.last} while it was read")
    return _Answer(end, logs, list(paired(logs)))


async def _side_by_side(job: Callable[[S], Awaitable[T]], subjects: Iterable[S]) -> list[T]:
    """Some at a time; the first that fails ends the others."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(subject: S) -> T:
        async with room:
            return await job(subject)

    tasks = [asyncio.ensure_future(one(subject)) for subject in subjects]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _block_of(node: Node, place: tuple[int, str]) -> Block:
    """The block of this number that a log says it is in, by its hash."""
    number, hash_ = place
    block = await _block(node, number)
    if block.hash != hash_:
        raise ValueError(f"a log is in block {hash_}, but block {number} is {block.hash}")
    return block


def _check_receipt(transaction: str, receipt: Any, question: Question, logs: Sequence[Log]) -> None:
    """Raises ValueError where a transaction has other logs than were given."""
    emitted = receipt.get("logs") if isinstance(receipt, dict) else None
    if not isinstance(emitted, list):
        raise ValueError(f"the receipt of {transaction} is missing")  # noqa: TRY004 (not a type of ours)
    if read_logs(question.matching(emitted), question) != logs:
        raise ValueError(f"the logs of {transaction} are not those of its receipt")
