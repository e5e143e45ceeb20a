"""A gateway's deposit with the TicketBroker: what is left of it, how fast it is spent, and when that is a worry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spillway.domain.announcements import eth
from spillway.domain.cards import Card
from spillway.domain.moments import rfc3339
from spillway.domain.redemptions import in_eth

DAY_S = 86_400
WINDOW_DAYS = 7
"""The rate of spending is that of the last week."""
HORIZON_DAYS = 30
"""A price can be sustained where the deposit would last for so long."""
EASED = 1.1
"""A worry ends where the deposit is this much above what began it, so that it is not told again and again."""


@dataclass(frozen=True, slots=True)
class Funds:
    """What the TicketBroker holds for a gateway. `withdraw_round` is 0, or the round from which it can be taken out."""

    deposit_wei: int
    reserve_wei: int
    claimed_wei: int = 0
    withdraw_round: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Below either of them a deposit is low."""

    wei: int
    days: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """A gateway's funds at a moment, and what its winning tickets were paid in the week before it.

    `low_since` is when the deposit became low, None where it is not.
    """

    sender: str
    at: int
    funds: Funds
    spent_wei: int
    low_since: int | None = None

    @property
    def wei_per_day(self) -> float:
        """The rate of spending."""
        return self.spent_wei / WINDOW_DAYS

    @property
    def days_left(self) -> float | None:
        """How long the deposit lasts at this rate; None where nothing is spent."""
        return self.funds.deposit_wei / self.wei_per_day if self.spent_wei else None

    def is_low(self, limits: Limits) -> bool:
        """What was low stays low until it is well above the limits."""
        ease = EASED if self.low_since is not None else 1.0
        few = self.days_left is not None and self.days_left < limits.days * ease
        return self.funds.deposit_wei < limits.wei * ease or few

    def body(self) -> dict[str, Any]:
        """As it is stored and reported: wei as decimal strings."""
        funds, days = self.funds, self.days_left
        return {
            "sender": self.sender,
            "at": rfc3339(self.at),
            "at_s": self.at,
            "deposit_wei": str(funds.deposit_wei),
            "deposit_eth": f"{in_eth(funds.deposit_wei):f}",
            "reserve_wei": str(funds.reserve_wei),
            "reserve_claimed_in_round_wei": str(funds.claimed_wei),
            "withdraw_round": funds.withdraw_round,
            "unlocking": funds.withdraw_round > 0,
            "spent_wei": str(self.spent_wei),
            "spent_days": WINDOW_DAYS,
            "wei_per_day": str(self.spent_wei // WINDOW_DAYS),
            "days_left": None if days is None else round(days, 2),
            "low_since": self.low_since,
        }


def read_outlook(body: Mapping[str, Any]) -> Outlook:
    """What was stored."""
    funds = Funds(
        int(body["deposit_wei"]), int(body["reserve_wei"]), int(body["reserve_claimed_in_round_wei"]),
        body["withdraw_round"],
    )  # fmt: skip
    return Outlook(body["sender"], body["at_s"], funds, int(body["spent_wei"]), body["low_since"])


def warnings(outlook: Outlook) -> dict[str, Card]:
    """What must be told of a deposit, by an id that is the same for as long as it is the same worry."""
    told: dict[str, Card] = {}
    funds, days = outlook.funds, outlook.days_left
    facts = (
        ("Gateway", outlook.sender),
        ("Deposit", eth(funds.deposit_wei)),
        ("Reserve", eth(funds.reserve_wei)),
        ("Paid to winners in a week", eth(outlook.spent_wei)),
        ("Lasts for", "not known: nothing was paid" if days is None else f"{days:,.1f} days at this rate"),
    )
    if outlook.low_since is not None:
        told[f"deposit-low {outlook.sender} {outlook.low_since}"] = Card(
            "A gateway's deposit is low", facts, tone="warning", at=outlook.low_since,
            text="When it is spent, orchestrators take no more tickets of this gateway.",
        )  # fmt: skip
    if funds.withdraw_round:
        told[f"deposit-unlock {outlook.sender} {funds.withdraw_round}"] = Card(
            "A gateway's deposit is being unlocked",
            (*facts, ("Can be withdrawn from round", str(funds.withdraw_round))),
            tone="warning",
            at=outlook.at,
            text="Orchestrators may take no more tickets of this gateway. If nobody meant this, its key is stolen.",
        )
    return told
