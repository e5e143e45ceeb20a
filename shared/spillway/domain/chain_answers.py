"""What a node of the chain may answer: whatever else it says is an error, never a report.

A node can be behind, broken, rate-limited in odd ways, or lie. One that invents or changes logs in a way that is
consistent with all its other answers is found only by asking another one.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from spillway.domain.tickets import REDEEMED, TRANSFER, Log, topic_of

_HASH = re.compile(r"0x[0-9a-f]{64}")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]*)")
_DATA = re.compile(r"0x(?:[0-9a-f]{2})*")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Block:
    """A block; `timestamp` is in epoch seconds."""

    number: int
    hash: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class Question:
    """Logs of the TicketBroker at `broker` about these senders, in blocks `first` to `last`, both included."""

    broker: str
    senders: Collection[str]
    first: int
    last: int

    def filter(self) -> dict[str, Any]:
        """The argument of eth_getLogs."""
        return {
            "address": self.broker,
            "fromBlock": hex(self.first),
            "toBlock": hex(self.last),
            "topics": [[TRANSFER, REDEEMED], sorted(map(topic_of, self.senders))],
        }

    def matching(self, logs: Collection[Any]) -> list[Any]:
        """Those logs of a receipt that are of the broker, its two events and these senders."""
        senders = set(map(topic_of, self.senders))
        return [log for log in logs if self._matches(log, senders)]

    def _matches(self, log: Any, senders: Collection[str]) -> bool:
        topics = log.get("topics") if isinstance(log, Mapping) else None
        return (
            isinstance(topics, list)
            and str(log.get("address")).lower() == self.broker.lower()
            and topics[:1] in ([TRANSFER], [REDEEMED])
            and topics[1:2] != []
            and topics[1] in senders
        )


def read_logs(answer: Any, question: Question) -> list[Log]:
    """The logs, in the chain's order. Raises ValueError for what was not asked for and what can't be."""
    if not isinstance(answer, list):
        raise ValueError("the logs are no list")  # noqa: TRY004 (not a type of ours)
    asked = _Asked(question)
    logs = sorted(map(asked.log, answer), key=lambda log: (log.block_number, log.log_index))
    _check_order(logs)
    return logs


def read_block(answer: Any, number: int | None = None) -> Block:
    """A block's header, of this number where one was asked for. Raises ValueError."""
    if not isinstance(answer, Mapping):
        named = "the block" if number is None else f"block {number}"
        raise ValueError(f"{named} is missing")  # noqa: TRY004 (not a type of ours)
    block = Block(
        read_quantity(answer.get("number")), read_hash(answer.get("hash")), read_quantity(answer.get("timestamp"))
    )
    if number is not None and block.number != number:
        raise ValueError(f"asked for block {number}, it gives block {block.number}")
    return block


def read_quantity(value: Any) -> int:
    """A number as JSON-RPC writes it. Raises ValueError."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value.lower()):
        raise ValueError(f"{str(value)[:80]} is no quantity")
    return int(value, 16)


def read_hash(value: Any) -> str:
    """32 bytes in lower case. Raises ValueError."""
    return _matched(value, _HASH, "hash")


def read_data(value: Any) -> bytes:
    """Bytes. Raises ValueError."""
    return bytes.fromhex(_matched(value, _DATA, "data")[2:])


def _matched(value: Any, form: re.Pattern[str], kind: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value.lower()):
        raise ValueError(f"{str(value)[:80]} is no {kind}")
    return value.lower()


class _Asked:
    """Reads logs one by one and holds each to the question."""

    def __init__(self, question: Question):
        self._question = question
        self._broker = question.broker.lower()
        self._senders = frozenset(map(topic_of, question.senders))

    def log(self, answer: Any) -> Log:
        if not isinstance(answer, Mapping):
            raise ValueError("a log is no object")  # noqa: TRY004 (not a type of ours)
        topics = answer.get("topics")
        log = Log(
            address=_matched(answer.get("address"), _ADDRESS, "address"),
            topics=tuple(map(read_hash, topics if isinstance(topics, list) else [])),
            data=read_data(answer.get("data")),
            block_number=read_quantity(answer.get("blockNumber")),
            block_hash=read_hash(answer.get("blockHash")),
            tx_hash=read_hash(answer.get("transactionHash")),
            log_index=read_quantity(answer.get("logIndex")),
        )
        self._check(log)
        if answer.get("removed"):
            raise ValueError(f"the log {log.log_index} of block {log.block_number} was removed by a reorganisation")
        return log

    def _check(self, log: Log) -> None:
        first, last = self._question.first, self._question.last
        if not first <= log.block_number <= last:
            raise ValueError(f"asked for blocks {first} to {last}, it gives a log of block {log.block_number}")
        if log.address != self._broker:
            raise ValueError(f"a log is of {log.address} instead of the TicketBroker")
        if len(log.topics) != 3 or log.topics[0] not in (TRANSFER, REDEEMED):
            raise ValueError(f"a log in {log.tx_hash} has topics that were not asked for")
        if log.topics[1] not in self._senders:
            raise ValueError(f"a log in {log.tx_hash} is of a sender that was not asked for")


def _check_order(logs: list[Log]) -> None:
    """One hash a block, no log twice, and each transaction in one piece."""
    homes: dict[str, str] = {}
    for before, log in zip([None, *logs], logs, strict=False):
        same_block = before is not None and before.block_number == log.block_number
        if before and same_block and (before.log_index == log.log_index or before.block_hash != log.block_hash):
            raise ValueError(f"block {log.block_number} is given twice, or a log of it is")
        new = before is None or before.tx_hash != log.tx_hash
        if new and log.tx_hash in homes:
            raise ValueError(f"transaction {log.tx_hash} is in two places")
        homes[log.tx_hash] = log.block_hash
        if not new and before and before.block_hash != log.block_hash:
            raise ValueError(f"transaction {log.tx_hash} is in two blocks")
