"""What a node of a chain can lie about, and how its logs look then."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from simulator.tickets import TRANSFER

Lie = Literal[
    "outside",  # a log of a block that was not asked for
    "topics",  # a log of another event
    "address",  # a log of another contract
    "sender",  # a log of somebody who was not asked for
    "twice",  # a log comes again
    "removed",  # a log that a reorganisation took away
    "omits",  # the last log is left out
    "omits_all",  # all logs are
    "omits_transfers",  # what was paid is left out
    "invents",  # a log of a transaction that there is none of
    "overpays",  # more was paid than is true
    "no_blocks",  # there are no blocks
    "no_receipts",
    "wrong_blocks",  # the block before the one that was asked for
    "other_hashes",  # blocks have other hashes than their logs say
    "forked",  # blocks and logs have other hashes, as on a chain of its own
    "rubbish",  # something that is no JSON-RPC
]
LIES: frozenset[Lie] = frozenset(get_args(Lie))
PAID = f"0x{TRANSFER}"

Logs = list[dict[str, Any]]


def other(text: str) -> str:
    """Another hash, the same each time."""
    return "0x" + text[:1:-1]


def _changed(**values: Any) -> Callable[[Logs, Any], Logs]:
    return lambda logs, _: [*logs[:-1], {**logs[-1], **values}]


def _topic(place: int, topic: str) -> Callable[[Logs, Any], Logs]:
    def changed(logs: Logs, _: Any) -> Logs:
        topics = list(logs[-1]["topics"])
        topics[place] = topic
        return [*logs[:-1], {**logs[-1], "topics": topics}]

    return changed


def _outside(logs: Logs, filter_: Any) -> Logs:
    return [*logs[:-1], {**logs[-1], "blockNumber": hex(int(filter_["toBlock"], 16) + 1)}]


def _invented(logs: Logs, _: Any) -> Logs:
    """A whole redemption more, with what it paid."""
    pair = [log for log in logs if log["transactionHash"] == logs[-1]["transactionHash"]][-2:]
    later = (int(log["logIndex"], 16) + 100 for log in pair)
    return [
        *logs,
        *(
            {**log, "transactionHash": other(log["transactionHash"]), "logIndex": hex(index)}
            for log, index in zip(pair, later, strict=True)
        ),
    ]


def _overpaid(logs: Logs, _: Any) -> Logs:
    return [{**log, "data": "0x" + "00" * 16 + "ff" * 16} if log["topics"][0] == PAID else log for log in logs]


OF_LOGS: Mapping[Lie, Callable[[Logs, Any], Logs]] = {
    "outside": _outside,
    "topics": _topic(0, "0x" + "77" * 32),
    "address": _changed(address="0x" + "77" * 20),
    "sender": _topic(1, "0x" + "00" * 12 + "77" * 20),
    "twice": lambda logs, _: [*logs, logs[-1]],
    "removed": _changed(removed=True),
    "omits": lambda logs, _: logs[:-1],
    "omits_all": lambda _logs, _: [],
    "omits_transfers": lambda logs, _: [log for log in logs if log["topics"][0] != PAID],
    "invents": _invented,
    "overpays": _overpaid,
}
"""What becomes of logs that were asked for by a filter, told of the last of them."""
