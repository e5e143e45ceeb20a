"""The daily cap on hosted spend, over any number of instances: money is granted before it is spent.

One document a UTC day, the books, says how much each instance may spend. It changes by compare-and-set only, its
grants never add up to more than the cap, and an instance spends only what a write of its own, known to have
succeeded, has granted. So the cap holds whatever else happens: whoever crashes takes its small grant along, a write
whose reply was lost is taken for a refusal where it asked for money and for done where it gave money back, and near
midnight a job is paid from both days, as clocks differ. Money is counted in whole micro-dollars: sums are exact.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from spillway.errors import StoreUnavailable

DAY_S = 86400.0
SKEW_S = 5.0
WRONG_S = 600.0
"""Clocks differ by less. A stored time that is further ahead was written by one that was wrong, and set back since."""
VERSION = 1
LARGEST_PART = 16
SMALLEST_PART = 256
JOBS_AHEAD = 4
KEPT_FROM_LOWER = 0.05
KEPT_FROM_NORMAL = 0.02


def price_micros(usd: float) -> int:
    """A price, rounded up; what floating point adds by itself is not."""
    return math.ceil(usd * 1e6 - 1e-3)


def cap_micros(usd: float) -> int:
    """A cap, rounded down."""
    return math.floor(usd * 1e6 + 1e-3)


def days_of(now: float, *, ahead_s: float = 0.0) -> list[int]:
    """The days that it may be by clocks up to SKEW_S apart, or will be in `ahead_s`; days since 1970."""
    return sorted({int((now - SKEW_S) // DAY_S), int((now + SKEW_S + ahead_s) // DAY_S)})


def date_of(day: int) -> str:
    """2026-11-30: the key of a day's books."""
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Account:
    """What an instance may spend of a day's money in all, and what it had spent when it last said so."""

    granted: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """A day's shared document; `settled` is what instances spent that have left since."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    settled: int = 0

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Books":
        """Raises StoreUnavailable for the books of a later release, and for those that nobody can read: who knows what
        has been spent.
        """
        if body.get("version") != VERSION:
            raise StoreUnavailable(f"the day's books have version {body.get('version')}, this release knows {VERSION}")
        try:
            accounts = {name: Account(int(granted), int(spent)) for name, (granted, spent) in body["accounts"].items()}
            return cls(accounts, int(body["settled"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreUnavailable("the day's books can't be read") from error

    def body(self) -> dict[str, Any]:
        """As `read` takes it."""
        accounts = {name: [account.granted, account.spent] for name, account in self.accounts.items()}
        return {"version": VERSION, "accounts": accounts, "settled": self.settled}

    def of(self, name: str) -> Account:
        """The account of an instance; nothing for one that has none."""
        return self.accounts.get(name, Account())

    def gone_to_others(self, name: str) -> int:
        """All that this instance can't have: what others were granted, and what is settled."""
        return self.settled + sum(account.granted for account in self._others(name))

    def spent_by_others(self, name: str) -> int:
        """As far as they said so."""
        return self.settled + sum(account.spent for account in self._others(name))

    def _others(self, name: str) -> Iterator[Account]:
        return (account for other, account in self.accounts.items() if other != name)

    def changed(self, name: str, account: Account) -> "Books":
        """With this account of an instance."""
        return Books({**self.accounts, name: account}, self.settled)

    def without(self, name: str, spent: int) -> "Books":
        """After an instance has left that spent this much; what else it was granted is free again."""
        accounts = {other: account for other, account in self.accounts.items() if other != name}
        return Books(accounts, self.settled + spent)


@dataclass(slots=True)
class Purse:
    """One instance's part of a day's money. `others` and `others_spent` are as old as the last look at the books."""

    cap: int
    granted: int = 0
    spent: int = 0
    others: int = 0
    others_spent: int = 0
    dearest: int = 0

    @property
    def stock(self) -> int:
        """What may be spent at once."""
        return self.granted - self.spent

    @property
    def reach(self) -> int:
        """What this instance could still spend today: its stock, and what nobody has been granted."""
        return max(self.stock, self.cap - self.others - self.spent)

    @property
    def gone(self) -> float:
        """The part of the day's money that this instance can't have any more."""
        return 1.0 - self.reach / self.cap if self.cap else 1.0

    def holds(self, micros: int, kept: float) -> bool:
        """Whether a job may start of somebody from whom the last part `kept` of the day's money is kept."""
        return self.stock >= micros and self.could_hold(micros, kept)

    def could_hold(self, micros: int, kept: float) -> bool:
        """Whether a larger grant would let it."""
        return self.reach - micros >= kept * self.cap

    def see(self, books: Books, name: str) -> None:
        """Look at the books."""
        self.others, self.others_spent = books.gone_to_others(name), books.spent_by_others(name)

    def take(self, micros: int) -> None:
        """Spend out of the stock."""
        self.spent += micros
        self.dearest = max(self.dearest, micros)

    def to_be_told(self, account: Account, *, idle: bool) -> bool:
        """Whether the others should learn of what was spent since: a hundredth of the cap, or the rest of it."""
        return self.spent != account.spent and (idle or abs(self.spent - account.spent) * 100 > self.cap)

    def wanted(self, pace: int) -> int:
        """The stock to hold: what the last minute took, a few jobs at least, a small part of what is left at most.

        Small, because an instance that crashes takes it along, and because others may need it.
        """
        least = max(pace, JOBS_AHEAD * self.dearest, self.cap // SMALLEST_PART)
        return min(least, max(self.reach // LARGEST_PART, self.dearest), self.reach)

    def grant(self, wanted: int, waiting: int) -> int:
        """What the grant should be: as it is, unless the stock is under half or over twice of what is wanted.

        `waiting` is what callers are waiting for.
        """
        fits = waiting <= self.stock and wanted <= 2 * self.stock and self.stock <= 2 * max(wanted, waiting)
        aim = self.granted if fits else self.spent + max(wanted, waiting)
        return max(self.spent, min(aim, self.cap - self.others))


def kept_from(priority: int, highest: int) -> float:
    """The last part of the day's money that callers of this priority can't have, as others may have a higher one."""
    if priority >= highest:
        return 0.0
    return KEPT_FROM_LOWER if priority < 0 else KEPT_FROM_NORMAL
