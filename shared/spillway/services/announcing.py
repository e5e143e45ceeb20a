"""Announces the outbox in a channel: everything once, in order, whatever breaks and however often it is begun.

A channel can't be asked what stands in it, so nothing is announced by making a message: a message is made that says
nothing yet, its id is stored together with the entries that it is for, and only then is it filled, by an edit, which
may be repeated. That one write decides: it goes over the version that was read of the first entry that is not done,
so of several announcers one wins, and the others take their messages away again. Entries are taken off the list after
the message was filled, the first one last, because it holds the record.

What a crash between making a message and storing its id leaves in the channel is a line that announces nothing
(docs/announcements.md says how often that can be).
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.announcements import PLACEHOLDER, card_of, heading_of
from spillway.domain.cards import Card, Notice
from spillway.errors import (
    Conflict,
    MessageGone,
    Overflow,
    QueueUnavailable,
    RequestRejected,
    SpillwayError,
    StoreUnavailable,
)
from spillway.ports import Clock
from spillway.ports.announcements import Bell, Channel
from spillway.ports.outbox import Entry, Outbox

log = logging.getLogger("spillway.announcing")

WITHIN_S = 50.0
CLAIM_S = 5.0
LOOK_AT = 20
FAILURES, STORING = 3, 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
MESSAGE, TOGETHER = "message", "together"
"""In an entry's state: the id of its message, and the ids of all entries of that message, in the first one's."""


@dataclass(slots=True)
class Report:
    """What a round announced, by entry and message; `problem` says why something is left, and is empty otherwise.

    `skipped` says why there was no round at all.
    """

    announced: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    problem: str = ""
    skipped: str = ""

    def body(self) -> dict[str, Any]:
        """For the caller of the function and for people."""
        return {"announced": len(self.announced), "messages": self.messages, "problem": self.problem,
                "skipped": self.skipped}  # fmt: skip


async def call_announcer(outbox: Outbox, bell: Bell) -> str:
    """Ring where something waits to be announced. Gives what went wrong, empty for nothing: the next round rings."""
    try:
        if await outbox.pending(1):
            await bell.ring()
    except (StoreUnavailable, QueueUnavailable) as error:
        log.warning("the announcer is not called in this round: %s", error)
        return str(error)
    return ""


async def waiting_s(outbox: Outbox, now: float) -> float:
    """For how long the first entry has waited to be announced; 0 where none waits. Raises StoreUnavailable."""
    entries = await outbox.pending(1)
    return max(0.0, now - entries[0].created_at) if entries else 0.0


class Announcing:
    """The rounds of one announcer.

    `claim_s` is for how long an announcer that is about to make a message keeps others from making one too. It saves
    messages that would be taken away again; that nothing is announced twice does not rest on it.
    """

    def __init__(
        self,
        outbox: Outbox,
        channel: Channel,
        *,
        epoch: Clock,
        within_s: float = WITHIN_S,
        claim_s: float = CLAIM_S,
        pause_s: float = FIRST_PAUSE_S,
    ):
        self._outbox, self._channel, self._epoch = outbox, channel, epoch
        self._within_s, self._claim_s, self._pause_s = within_s, claim_s, pause_s

    async def round(self) -> Report:
        """Announce what there is, in bounded time. Never raises for what is outside: it is in the report."""
        report = Report()
        try:
            async with asyncio.timeout(self._within_s) as limit:
                await _Round(self, report).run()
        except TimeoutError:
            if not limit.expired():
                raise
            report.problem = f"not everything could be announced within {self._within_s:g} s"
        except SpillwayError as error:
            report.problem = str(error)
        if report.problem:
            log.warning("left for the next round: %s", report.problem)
        return report


class _Round:
    """One round, with a name of its own: two rounds of one process are two announcers."""

    def __init__(self, announcing: Announcing, report: Report):
        self._outbox, self._channel, self._epoch = announcing._outbox, announcing._channel, announcing._epoch
        self._claim_s, self._pause_s = announcing._claim_s, announcing._pause_s
        self._name = uuid.uuid4().hex
        self._report = report

    async def run(self) -> None:
        """Message by message; what may succeed another time is tried again a few times."""
        failures = 0
        while entries := await self._outbox.pending(LOOK_AT):
            try:
                await self._announce(entries)
                failures = 0
            except Overflow as error:
                failures += 1
                pause_s = error.retry_after_s or self._pause_s * 2.0**failures
                if failures == FAILURES or pause_s > LONGEST_PAUSE_S:
                    raise
                log.info("tried again in %.1f s: %s", pause_s, error)
                await asyncio.sleep(pause_s)

    async def _announce(self, entries: Sequence[Entry]) -> None:
        """One message, as far as it can be brought now. The list is then looked at anew."""
        head: Entry | None = entries[0]
        if MESSAGE not in entries[0].state:
            head = await self._prepared(entries)
        if head:
            await self._finish(head)

    async def _prepared(self, entries: Sequence[Entry]) -> Entry | None:
        """The first entry with a message stored for it and those that go with it; None where another was quicker."""
        claimed = await self._claim(entries[0])
        if claimed is None:
            return None
        room = self._channel.room([card_of(entry.kind, entry.body) for entry in entries])
        message = await self._channel.prepare(PLACEHOLDER)
        return await self._stored(claimed, message, [entry.id for entry in entries[:room]])

    async def _claim(self, head: Entry) -> Entry | None:
        now, until = self._epoch(), float(head.state.get("until", 0.0))
        held = head.state.get("claim", self._name) != self._name
        # An end that is far ahead was written by a clock that is wrong: it would hold for ever.
        if held and now < until <= now + 2 * self._claim_s:
            await asyncio.sleep(until - now)
            return None
        tried = int(head.state.get("tried", 0))
        if tried:
            log.warning("try %d to make one message: an empty line may be left in the channel", tried + 1)
        state = {"claim": self._name, "until": now + self._claim_s, "tried": tried + 1}
        try:
            return await self._outbox.mark(head.id, state, head.version)
        except Conflict:
            return None

    async def _stored(self, head: Entry, message: str, ids: Sequence[str]) -> Entry | None:
        """The decision: whoever stores a message first for an entry that has none.

        A claim that ran out and is another's now does not matter. While it is not known whether the write was made,
        it is made again over the same version, so that it can't come through later.
        """
        state = {MESSAGE: message, TOGETHER: list(ids)}
        for _ in range(STORING):
            try:
                return await self._outbox.mark(head.id, state, head.version)
            except (Conflict, StoreUnavailable):
                found = await self._outbox.find(head.id)
            if found and found.state.get(MESSAGE) == message:
                return found
            if found is None or found.done_at or MESSAGE in found.state:
                await self._discard(message)
                return None
            head = found
        raise StoreUnavailable("the id of a message could not be stored")

    async def _discard(self, message: str) -> None:
        try:
            await self._channel.discard(message)
        except SpillwayError as error:
            log.warning("an empty line is left in the channel: %s", error)

    async def _finish(self, head: Entry) -> None:
        """Fill the stored message, then take its entries off the list, the first one last."""
        message, ids = str(head.state[MESSAGE]), list(head.state[TOGETHER])
        entries = [entry for entry in [await self._outbox.find(one) for one in ids] if entry]
        # None is done before the message is filled.
        if not any(entry.done_at for entry in entries) and not await self._filled(head, message, entries):
            return
        for entry in reversed(entries):
            if entry.done_at is None:
                await self._done(entry, message)
        self._report.announced += ids
        self._report.messages.append(message)

    async def _filled(self, head: Entry, message: str, entries: Sequence[Entry]) -> bool:
        told = [(entry.kind, entry.body) for entry in entries]
        try:
            await self._fill(message, Notice(heading_of(told), tuple(card_of(*one) for one in told)))
        except MessageGone:
            log.warning("message %s was taken out of the channel: another is made in its place", message)
            await self._mark(head, {})
            return False
        return True

    async def _fill(self, message: str, notice: Notice) -> None:
        """What the channel finds malformed is told without its facts: it must not keep the rest waiting for ever."""
        try:
            await self._channel.fill(message, notice)
        except RequestRejected as error:
            if error.status != 400:
                raise
            log.error("message %s is told without its facts: %s", message, error)  # noqa: TRY400 (the story says it all)
            plain = tuple(Card(card.title, link=card.link, footnote=card.footnote) for card in notice.cards)
            await self._channel.fill(message, Notice(notice.heading, plain))

    async def _done(self, entry: Entry, message: str) -> None:
        if MESSAGE not in entry.state:
            await self._mark(entry, {MESSAGE: message})
        await self._outbox.done(entry.id)

    async def _mark(self, entry: Entry, state: Mapping[str, Any]) -> None:
        """Where another announcer has changed it meanwhile, that is as good."""
        with suppress(Conflict):
            await self._outbox.mark(entry.id, state, entry.version)
