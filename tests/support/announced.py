"""Redemptions that wait to be announced, and what a channel says of them."""

import re
from collections.abc import Iterable
from typing import Any

from simulator import DiscordApi
from simulator.messages import Message
from spillway.domain.announcements import PLACEHOLDER, REDEMPTION
from spillway.domain.redemptions import Decorations, Redemption
from spillway.domain.tickets import CERTAIN
from spillway.ports.outbox import Draft

SENDER = "0x012345dE92B630C065dFc0caBE4eB34f74f7FC85"
ORCHESTRATOR = "0x" + "22" * 20
_PLACE = re.compile(r"Block (\d+), log (\d+)")


def redemption(number: int = 1, **changes: Any) -> Redemption:
    """The number-th; four in a row share a transaction."""
    values: dict[str, Any] = {
        "chain_id": 42161, "tx_hash": f"0x{number // 4:064x}", "log_index": number, "block_number": 1000 + number // 4,
        "block_hash": "0x" + "b1" * 32, "timestamp": 1_790_000_000 + number, "sender": SENDER,
        "recipient": ORCHESTRATOR, "amount_wei": 10**15 + number, "face_value_wei": 2 * 10**15,
        "win_prob": CERTAIN // 1000, "round": 3500, "decorations": Decorations("orch.example", 21_000, "3000.5"),
    }  # fmt: skip
    return Redemption(**{**values, **changes})


def drafts(count: int, first: int = 1) -> list[Draft]:
    """So many redemptions, from the first on."""
    found = [redemption(number) for number in range(first, first + count)]
    return [Draft(one.key, REDEMPTION, one.body()) for one in found]


def told(messages: Iterable[Message]) -> list[int]:
    """The log indexes of the redemptions in these messages, in their order."""
    footers = [embed.get("footer", {}).get("text", "") for message in messages for embed in message.embeds]
    return [int(found[2]) for text in footers if (found := _PLACE.search(text))]


def assert_told_once(api: DiscordApi, count: int) -> None:
    """Each of the first `count` redemptions stands in the channel once and in order, and was never anywhere else."""
    assert told(api.channel) == list(range(1, count + 1))
    assert len(told(api.messages)) == count
    assert {message.content for message in api.messages if not message.embeds} <= {PLACEHOLDER}
