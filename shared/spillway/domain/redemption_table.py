"""Redemptions as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable

from spillway.domain.redemption_sums import Sums
from spillway.domain.redemptions import Redemption

COLUMNS = (
    "chain_id", "tx_hash", "log_index", "block_number", "timestamp", "sender", "recipient", "recipient_name",
    "amount_wei", "face_value_wei", "win_prob", "win_chance", "expected_value_wei", "round", "gas_paid_wei", "eth_usd",
    "amount_usd", "status",
)  # fmt: skip


def table(redemptions: Iterable[Redemption], *, header: bool = True) -> str:
    """As CSV, a line a redemption."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    if header:
        writer.writeheader()
    writer.writerows(one.body() for one in redemptions)
    return text.getvalue()


def grouped(sums: Sums) -> str:
    """The groups of a sum as CSV, a line a group, with a header even where there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, sums.columns(), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(sums.rows())
    return text.getvalue()
