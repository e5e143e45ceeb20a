"""The TicketBroker's two events of a winning ticket, decoded from their logs, and how they belong together.

By hand: a library's formatters take forty times as long as the call that brings the logs. The contract emits
`WinningTicketTransfer` with what it really paid, unless that is nothing, and then `WinningTicketRedeemed`.
Source: livepeer/protocol, contracts/pm/mixins/MixinTicketBrokerCore.sol.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spillway.domain.addresses import checksummed

TRANSFER = "0x8b87351a208c06e3ceee59d80725fd77a23b4129e1b51ca231fc89b40712649c"
REDEEMED = "0xc389eb51ed006dbf2528507f010efdf5225ea596e1e1741d74f550dab1925ee7"
CERTAIN = 2**256 - 1
"""The win probability of a ticket that always wins; the contract counts in parts of it."""

LATEST_ROUND = 2**53 - 1
"""The largest number that every reader of JSON understands exactly; a round lasts most of a day."""

_WORD = 32
_AUX_DATA_AT = 4 * _WORD
_HEAD = 5 * _WORD


@dataclass(frozen=True, slots=True)
class Log:
    """A log as a node gives it: addresses, hashes and topics in lower case, `data` decoded."""

    address: str
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A winning ticket that was redeemed by the log of its `WinningTicketRedeemed`; `amount_wei` is what was paid.

    `win_prob` is in parts of CERTAIN; `round` is that of the ticket's making, None where its auxData don't tell.
    """

    log: Log
    sender: str
    recipient: str
    amount_wei: int
    face_value_wei: int
    win_prob: int
    round: int | None


def topic_of(address: str) -> str:
    """An address as an indexed argument."""
    return "0x" + "00" * 12 + address[2:].lower()


def paired(logs: Iterable[Log]) -> Iterator[Ticket]:
    """The tickets of logs that are in the chain's order. Raises ValueError for what the contract can't have emitted.

    A transfer is that of the next redemption with its sender and recipient in its transaction.
    """
    transfers: defaultdict[tuple[str, ...], deque[int]] = defaultdict(deque)
    transaction = ""
    for log in logs:
        if log.tx_hash != transaction:
            _none_left(transfers, transaction)
            transaction = log.tx_hash
        parties = log.topics[1:]
        if log.topics[0] == TRANSFER:
            transfers[parties].append(_transferred(log))
        else:
            yield _ticket(log, transfers[parties].popleft() if transfers[parties] else 0)
    _none_left(transfers, transaction)


def _none_left(transfers: defaultdict[tuple[str, ...], deque[int]], transaction: str) -> None:
    if any(transfers.values()):
        raise ValueError(f"transaction {transaction} pays for a winning ticket that it doesn't redeem")
    transfers.clear()


def _transferred(log: Log) -> int:
    if len(log.data) != _WORD:
        raise ValueError(f"the transfer in {log.tx_hash} has {len(log.data)} bytes of data instead of {_WORD}")
    return int.from_bytes(log.data, "big")


def _ticket(log: Log, amount_wei: int) -> Ticket:
    data = log.data
    if len(data) < _HEAD + _WORD:
        raise ValueError(f"the redemption in {log.tx_hash} has {len(data)} bytes of data, fewer than its arguments")
    face_value_wei, win_prob = _word(data, 0), _word(data, _WORD)
    if amount_wei > face_value_wei:
        raise ValueError(f"{log.tx_hash} pays {amount_wei} wei for a ticket of {face_value_wei} wei")
    sender, recipient = (_address(topic) for topic in log.topics[1:3])
    return Ticket(log, sender, recipient, amount_wei, face_value_wei, win_prob, _round(data, log.tx_hash))


def _round(data: bytes, transaction: str) -> int | None:
    """The first word of auxData, which the contract makes of the round and the hash of its block.

    A word that can be no round, as other contracts may put there, tells none.
    """
    at = _word(data, _AUX_DATA_AT)
    size = _word(data, at) if at + _WORD <= len(data) else None
    if size is None or at + _WORD + size > len(data):
        raise ValueError(f"the redemption in {transaction} has auxData that lie outside its data")
    round_ = _word(data, at + _WORD) if size >= _WORD else LATEST_ROUND + 1
    return round_ if round_ <= LATEST_ROUND else None


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + _WORD], "big")


def _address(topic: str) -> str:
    if len(topic) != 66 or int(topic[2:26], 16):
        raise ValueError(f"{topic[:70]} is no address")
    return checksummed("0x" + topic[26:])
