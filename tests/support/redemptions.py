"""Redemptions made by hand."""

from dataclasses import replace
from typing import Any

from spillway.domain.redemptions import Redemption
from spillway.domain.tickets import paired
from spillway.ports.outbox import REDEMPTION, Draft
from spillway.ports.redemptions import Finding
from support.tickets import FACE, redeemed, transfer

CHAIN = 42161
GENESIS_S = 1_700_000_000
BLOCK_S = 10


def block_hash(number: int, branch: str = "a") -> str:
    """The hash of a block on one of several branches of the chain."""
    return f"0x{branch * 4}{number:060x}"


def made(number: int = 1, index: int = 1, **changes: Any) -> Redemption:
    """The redemption in block `number`; `index` is its log's."""
    log = redeemed(
        log_index=index,
        block_number=number,
        block_hash=block_hash(number),
        tx_hash=f"0x{number:060x}{index // 100:04x}",
    )
    [ticket] = paired([transfer(FACE // 2, tx_hash=log.tx_hash), log])
    one = Redemption.of(ticket, CHAIN, GENESIS_S + BLOCK_S * number)
    return replace(one, **changes)


def finding(one: Redemption, over: int | None = None, *, told: bool = True) -> Finding:
    """With the announcement of a new one."""
    return Finding(one, over, Draft(one.key, REDEMPTION, one.body()) if told else None)
