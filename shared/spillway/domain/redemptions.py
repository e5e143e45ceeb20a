"""A redemption: a winning ticket that was paid out on the chain, and how it is told to others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Literal, Self

from spillway.domain.moments import epoch_seconds, rfc3339
from spillway.domain.tickets import CERTAIN, Ticket

Status = Literal["final", "corrected", "removed"]
ETH_DIGITS = 18
LATEST = 999_999_999_999
"""The latest time that an order can hold, in epoch seconds."""
_ORDER = re.compile(r"\d{12}-\d{12}-\d{8}-\d+-0x[0-9a-f]{64}-\d+")
_DIGITS = Context(prec=30, rounding=ROUND_HALF_EVEN)
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Decorations:
    """What is good to know beside a redemption; None where it could not be had.

    `gas_paid_wei` is this redemption's part of what its transaction cost whoever sent it, `eth_usd` the price of an
    ether when the redemption was found, a decimal number.
    """

    recipient_name: str | None = None
    gas_paid_wei: int | None = None
    eth_usd: str | None = None

    @property
    def missing(self) -> list[str]:
        """The names of those that could not be had."""
        return [name for name in ("recipient_name", "gas_paid_wei", "eth_usd") if getattr(self, name) is None]


@dataclass(frozen=True, slots=True)
class Redemption:
    """One winning ticket. It is the same as long as chain, transaction and log index are; `timestamp` is in epoch
    seconds, `win_prob` in parts of domain.tickets.CERTAIN.

    `status`: `final` as it was first reported; `corrected` when the chain was reorganised after that and it is
    elsewhere now; `removed` when it is nowhere any more. `revision` counts these changes.
    """

    chain_id: int
    tx_hash: str
    log_index: int
    block_number: int
    block_hash: str
    timestamp: int
    sender: str
    recipient: str
    amount_wei: int
    face_value_wei: int
    win_prob: int
    round: int | None
    status: Status = "final"
    revision: int = 0
    decorations: Decorations = Decorations()

    @classmethod
    def of(cls, ticket: Ticket, chain_id: int, timestamp: int) -> Self:
        """The ticket's redemption on this chain, in a block of this time."""
        log = ticket.log
        return cls(
            chain_id, log.tx_hash, log.log_index, log.block_number, log.block_hash, timestamp, ticket.sender,
            ticket.recipient, ticket.amount_wei, ticket.face_value_wei, ticket.win_prob, ticket.round,
        )  # fmt: skip

    @property
    def key(self) -> str:
        """Chain, transaction and log index: no two redemptions have the same."""
        return f"{self.chain_id}-{self.tx_hash}-{self.log_index}"

    @property
    def order(self) -> str:
        """Sorts as the chain does, the oldest first; no two redemptions have the same."""
        return f"{self.timestamp:012d}-{self.block_number:012d}-{self.log_index:08d}-{self.key}"

    @property
    def expected_value_wei(self) -> int:
        """What the ticket was worth before it was known to win, rounded down."""
        return self.face_value_wei * self.win_prob // CERTAIN

    def changed(self, **values: Any) -> Self:
        """The next revision."""
        return replace(self, revision=self.revision + 1, **values)

    def body(self) -> dict[str, Any]:
        """As it is reported: wei and probabilities as decimal strings, times after RFC 3339.

        `win_prob` is the contract's own number, in parts of 2^256 - 1; `win_chance` the same from 0 to 1.
        """
        told = self.decorations
        return {
            "chain_id": self.chain_id,
            "tx_hash": self.tx_hash,
            "log_index": self.log_index,
            "block_number": self.block_number,
            "block_hash": self.block_hash,
            "timestamp": rfc3339(self.timestamp),
            "sender": self.sender,
            "recipient": self.recipient,
            "amount_wei": str(self.amount_wei),
            "face_value_wei": str(self.face_value_wei),
            "win_prob": str(self.win_prob),
            "win_chance": probability(self.win_prob),
            "expected_value_wei": str(self.expected_value_wei),
            "round": self.round,
            "status": self.status,
            "revision": self.revision,
            "recipient_name": told.recipient_name,
            "gas_paid_wei": None if told.gas_paid_wei is None else str(told.gas_paid_wei),
            "eth_usd": told.eth_usd,
            "amount_usd": None if told.eth_usd is None else in_usd(self.amount_wei, told.eth_usd),
            "missing": told.missing,
        }


def read_redemption(body: Mapping[str, Any]) -> Redemption:
    """What was stored or sent as a body."""
    gas = body["gas_paid_wei"]
    return Redemption(
        body["chain_id"], body["tx_hash"], body["log_index"], body["block_number"], body["block_hash"],
        epoch_seconds(body["timestamp"]), body["sender"], body["recipient"], int(body["amount_wei"]),
        int(body["face_value_wei"]), int(body["win_prob"]), body["round"], body["status"], body["revision"],
        Decorations(body["recipient_name"], None if gas is None else int(gas), body["eth_usd"]),
    )  # fmt: skip


def order_bounds(since: int, before: int, after: str | None) -> tuple[str, str]:
    """The orders of redemptions from `since` up to `before`, in epoch seconds: the lowest, and one above the highest.

    `after` is the order of the last one shown, newest first. Raises ValueError where it is none.
    """
    if after is not None and not _ORDER.fullmatch(after):
        raise ValueError("this cursor was not given out here")
    low, high = (f"{min(max(0, at), LATEST):012d}" for at in (since, before))
    return low, high if after is None else min(high, after)


def probability(win_prob: int) -> str:
    """A ticket's win probability as a decimal number from 0 to 1, to 30 digits."""
    return f"{_DIGITS.divide(Decimal(win_prob), Decimal(CERTAIN)).normalize(_DIGITS):f}"


def in_eth(wei: int) -> Decimal:
    """Ether, exactly."""
    return Decimal(wei).scaleb(-ETH_DIGITS, _EXACT)


def eth_text(wei: int) -> str:
    """Ether to the last wei, without zeros at the end."""
    return f"{in_eth(wei).normalize(_EXACT):f}"


def in_usd(wei: int, eth_usd: str) -> str:
    """US dollars to the cent at this price of an ether."""
    return f"{_EXACT.multiply(in_eth(wei), Decimal(eth_usd)).quantize(_CENT, context=_EXACT):f}"
