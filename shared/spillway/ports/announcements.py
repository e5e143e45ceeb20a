"""What announcing needs from outside: a channel whose messages can be made, filled and taken away again."""

from collections.abc import Sequence
from typing import Protocol

from spillway.domain.cards import Card, Notice


class Bell(Protocol):
    """Tells the announcer that there may be something to announce. A word that is lost is said again by the next
    round; what is to be announced is in the outbox.
    """

    async def ring(self) -> None:
        """Say it. Raises QueueUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Channel(Protocol):
    """A channel that people read. What stands in it can't be listed: a message is known by its id, or not at all.

    Every call is bounded in time, waits as long as the channel asks within that, and raises Overflow where it failed
    or RequestRejected where the channel doesn't take it. A call that failed may have been done all the same, now or
    later. `fill` and `discard` may be repeated; `prepare` makes another message each time.
    """

    def room(self, cards: Sequence[Card]) -> int:
        """How many of the first of these fit into one message: one at least."""
        ...

    async def prepare(self, heading: str) -> str:
        """Make a message that says only this, at the end of the channel; gives its id."""
        ...

    async def fill(self, message_id: str, notice: Notice) -> None:
        """Make it say this and nothing else. Raises MessageGone where there is no such message any more."""
        ...

    async def discard(self, message_id: str) -> None:
        """Take it away, where it still is."""
        ...
