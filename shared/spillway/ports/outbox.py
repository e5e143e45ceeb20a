"""What is to be announced: entries that were stored together with what they tell of, and wait for their announcer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

REDEMPTION, CORRECTION = "redemption", "correction"
"""Kinds of entries. A redemption's body is that of domain.redemptions. A correction's is the redemption as it is now,
`status` among it, and `before`, its body as it was announced; the two may have different keys."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is still to be stored. The same `id` is the same announcement, whoever writes it and how often."""

    id: str
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry. `position` grows by one with each entry, from 1, in the order in which they are to be announced.

    `state` is the announcer's own record of how far it has come with this entry, `version` a new one with each
    change of it; `created_at` and, once it is announced, `done_at` are in epoch seconds.
    """

    position: int
    id: str
    kind: str
    body: dict[str, Any]
    created_at: float
    version: str
    state: dict[str, Any] = field(default_factory=dict)
    done_at: float | None = None


class Outbox(Protocol):
    """The entries, in one order. Nothing is ever removed: what was announced stays, with its last state.

    Each call ends within the adapter's time limit and raises StoreUnavailable where the store gives no answer; a
    write may have been made all the same. `mark` ends such doubts, as ports.store.Store.replace does.
    """

    async def add(self, drafts: Sequence[Draft]) -> int:
        """Store those whose ids are new, at the end and in this order, all or none; gives their number."""
        ...

    async def pending(self, limit: int) -> list[Entry]:
        """The first `limit` entries that are not done, by position."""
        ...

    async def find(self, entry_id: str) -> Entry | None:
        """An entry, done or not; None where there is none of this id."""
        ...

    async def mark(self, entry_id: str, state: Mapping[str, Any], over: str) -> Entry:
        """Replace the announcer's state, only over this version. Raises Conflict, also for an entry that is done."""
        ...

    async def done(self, entry_id: str) -> None:
        """Take it off the list. Harmless when repeated, and for an unknown id."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
