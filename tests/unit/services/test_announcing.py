"""The announcing protocol under every order of events that Hypothesis finds, and every fate of each call."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.domain.cards import Card, Notice
from spillway.errors import MessageGone, Overflow, StoreUnavailable
from spillway.services.announcing import Announcing
from support.announced import drafts
from support.unsure_ports import ANSWERED, LATE, LOST, REPEATED, REPLY_LOST, Calls, Unsure

ENTRIES, ANNOUNCERS, STEPS = 5, 3, 80
FATES = {"pending": (ANSWERED, LOST), "find": (ANSWERED, LOST), "prepare": (ANSWERED, REPLY_LOST, LOST, LATE, REPEATED)}
CHANGES = (ANSWERED, REPLY_LOST, LOST, LATE)


class Board:
    """A channel of two cards a message, which remembers all that ever stood in it."""

    def __init__(self) -> None:
        self.messages: dict[str, tuple[Card, ...]] = {}
        self.ever: set[tuple[str, str]] = set()
        self.made = 0

    def room(self, cards: Sequence[Card]) -> int:
        """Two."""
        return min(2, len(cards))

    async def prepare(self, heading: str) -> str:
        """The next id."""
        self.made += 1
        self.messages[f"{self.made:04d}"] = ()
        return f"{self.made:04d}"

    async def fill(self, message_id: str, notice: Notice) -> None:
        """Put it in."""
        if message_id not in self.messages:
            raise MessageGone("gone")
        self.messages[message_id] = notice.cards
        self.ever |= {(message_id, card.footnote) for card in notice.cards}

    async def discard(self, message_id: str) -> None:
        """Take it out."""
        self.messages.pop(message_id, None)

    def told(self) -> list[str]:
        """What a reader sees, in its order."""
        return [card.footnote for _, cards in sorted(self.messages.items()) for card in cards]


class Play:
    """Announcers that are started and killed, and calls that get their fates."""

    def __init__(self, data: st.DataObject):
        self.data, self.calls, self.outbox, self.board = data, Calls(), MemoryOutbox(), Board()
        self.tasks: list[asyncio.Task[Any]] = []

    async def run(self) -> None:
        """So many events, then everything that is left comes through and one announcer works undisturbed."""
        await self.outbox.add(drafts(ENTRIES))
        for _ in range(STEPS):
            await settled()
            await self._event()
        for task in self.tasks:
            task.cancel()
        for call in [*self.calls.waiting]:
            await self.calls.decide(call, self._drawn((ANSWERED, LOST)))
        await Announcing(self.outbox, self.board, epoch=lambda: 0.0).round()
        for call in [*self.calls.late]:
            await self.calls.come_through(call)
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _event(self) -> None:
        alive = [task for task in self.tasks if not task.done()]
        choices = ["decide"] * 12 * bool(self.calls.waiting) + ["late"] * 2 * bool(self.calls.late)
        choices += ["start"] * (len(alive) < ANNOUNCERS) + ["kill"] * bool(alive)
        chosen = self._drawn(choices)
        if chosen == "start":
            self.tasks.append(asyncio.create_task(self._announcer().round()))
        elif chosen == "kill":
            self._drawn(alive).cancel()
        elif chosen == "late":
            await self.calls.come_through(self._drawn(self.calls.late))
        else:
            call = self._drawn(self.calls.waiting)
            # Most calls succeed, or nothing would ever come far.
            await self.calls.decide(call, self._drawn((ANSWERED,) * 6 + FATES.get(call.name, CHANGES)))

    def _announcer(self) -> Announcing:
        return Announcing(
            Unsure(self.outbox, self.calls, StoreUnavailable),  # type: ignore[arg-type]
            Unsure(self.board, self.calls, Overflow),  # type: ignore[arg-type]
            epoch=lambda: 0.0, claim_s=0.0, pause_s=0.0,
        )  # fmt: skip

    def _drawn(self, choices: Sequence[Any]) -> Any:
        return choices[self.data.draw(st.integers(0, len(choices) - 1))]


async def settled() -> None:
    """Let every announcer come to its next call."""
    for _ in range(12):
        await asyncio.sleep(0)


@settings(max_examples=100)
@given(st.data())
def test_everything_is_announced_once_and_in_order(data: st.DataObject) -> None:
    async def played() -> Board:
        play = Play(data)
        await play.run()
        return play.board

    board = asyncio.run(played())
    expected = [f"Block {1000 + number // 4}, log {number}" for number in range(1, ENTRIES + 1)]
    assert board.told() == expected
    assert sorted(footnote for _, footnote in board.ever) == sorted(expected)
