"""The chain that redemptions are read from, and the store that they are kept in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from spillway.domain.chain_answers import Block
from spillway.domain.redemptions import Decorations, Redemption
from spillway.domain.tickets import Ticket
from spillway.domain.trail import Trail
from spillway.ports.outbox import Draft

MOST = 200
"""Redemptions that are written or asked for at once: with their announcements they fit into one transaction of any
store."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a range of blocks holds: its tickets in the chain's order, each with its block's time in epoch seconds.

    `end` is the range's last block. `witnesses` is the number of nodes that gave the same answer, 1 or more.
    """

    end: Block
    tickets: Sequence[tuple[Ticket, int]]
    witnesses: int

    @property
    def logs(self) -> int:
        """About as many as the answer had."""
        return 2 * len(self.tickets)


class Chain(Protocol):
    """A chain with a TicketBroker. Every call is bounded in time and raises ChainError where it can't be trusted."""

    id: int

    async def check(self) -> None:
        """Raises BadSettings where this is another chain, or there is no contract at the TicketBroker's address."""
        ...

    async def final(self) -> Block:
        """The last block that is not expected to be replaced any more."""
        ...

    async def block(self, number: int) -> Block:
        """A block by its number."""
        ...

    async def stretch(self, first: int, last: int) -> Stretch:
        """The tickets of a range whose last block exists. Raises ChainTooMuch where a smaller range may be given."""
        ...

    async def decorations(self, redemptions: Sequence[Redemption]) -> list[Decorations]:
        """What can be had beside each within a short time; never raises for what is outside."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reading of the chain has come: everything up to and including the last block of `trail` is stored.

    `version` is the store's, "" for a cursor that is not stored yet.
    """

    trail: Trail
    version: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A redemption to be stored over the one of revision `over`, None where none is stored under its key, and how it
    is announced, if it is."""

    redemption: Redemption
    over: int | None
    draft: Draft | None


@dataclass(frozen=True, slots=True)
class Page:
    """Redemptions, the newest first; `after` asks for the next ones, None where there are none."""

    redemptions: Sequence[Redemption]
    after: str | None


class Redemptions(Protocol):
    """The redemptions found so far, and the cursors of those who look for them.

    Each call ends within the adapter's time limit and raises StoreUnavailable where the store gives no answer; a
    write may have been made all the same.
    """

    async def cursor(self, name: str) -> Cursor | None:
        """How far this reading has come; None where it has not begun."""
        ...

    async def write(self, name: str, cursor: Cursor, findings: Sequence[Finding]) -> Cursor:
        """Store findings, their announcements and the cursor in one transaction, all or none; at most MOST findings.

        The stored cursor must have the version that this one carries, "" for none; the new one is given back.
        Raises Conflict where the cursor or a redemption is not what it is to be written over.
        """
        ...

    async def known(self, keys: Sequence[str]) -> dict[str, Redemption]:
        """Those of at most MOST keys that are stored, removed ones too."""
        ...

    async def within(self, chain_id: int, first: int, last: int) -> list[Redemption]:
        """Everything stored of these blocks, removed ones too, in the chain's order."""
        ...

    async def page(self, *, since: int, before: int, removed: bool, after: str | None, limit: int) -> Page:
        """Those with a timestamp from `since` up to, not including, `before`; `removed` adds those that are gone.

        Raises ValueError for an `after` that no page has given.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
