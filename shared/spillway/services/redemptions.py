"""Reading redemptions from the chain: each is stored once, together with its announcement.

A reading goes from its cursor to the last final block, range by range; each range is made what it is on the chain,
and written with the cursor in one transaction. So it may be cut off anywhere and be repeated, and two readings may
overlap. After a reorganisation, which final blocks should not see, the cursor's block is not on the chain any more:
the reading goes back to the last block that is, and what differs from there on is corrected, and announced.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from spillway.domain.block_ranges import RangeSize
from spillway.domain.corrections import Change, changes, missing
from spillway.domain.redemptions import Redemption
from spillway.domain.trail import Trail
from spillway.errors import ChainError, ChainTooMuch, ChainUnavailable, ChainWrong, Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.outbox import CORRECTION, REDEMPTION, Draft
from spillway.ports.redemptions import MOST, Chain, Cursor, Finding, Redemptions, Stretch

log = logging.getLogger("spillway.redemptions")

TRIES = 5
Progress = Callable[[int, int, int], None]
"""Told how far a reading is: its first block, the one that it has come to, its last."""


@dataclass(slots=True)
class Report:
    """What a round did: it has come to the block `scanned_to` of those up to `final`; `problems` kept it from all.

    With `alarm` a person must look at them. `skipped` says why there was no round. `witnesses` is the smallest number
    of nodes that gave the same answer, 0 where nothing was asked.
    """

    final: int | None = None
    scanned_to: int | None = None
    found: int = 0
    corrected: int = 0
    reorganised_from: int | None = None
    witnesses: int = 0
    problems: list[str] = field(default_factory=list)
    alarm: bool = False
    skipped: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing is left for the next round."""
        return not self.problems

    def body(self) -> dict[str, Any]:
        """For the caller of the function and for people."""
        return {**asdict(self), "whole": self.whole}


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: the redemptions of these senders from a block on, under a cursor of this name.

    `told` False stores them without announcements.
    """

    name: str
    senders: frozenset[str]
    first: int
    told: bool = True


def reading(kind: str, chain_id: int, broker: str, senders: Sequence[str], first: int, *, told: bool = True) -> Reading:
    """A reading of the kind `scan` or `backfill`. With other senders it is another one, which begins anew."""
    about = hashlib.sha256(" ".join([broker, *sorted(senders), str(first)]).encode()).hexdigest()[:16]
    return Reading(f"{kind} {chain_id} {about}", frozenset(senders), first, told)


class Reader:
    """Does rounds of a reading."""

    def __init__(self, chain: Chain, redemptions: Redemptions, what: Reading, *, monotonic: Clock = time.monotonic):
        self._chain, self._redemptions, self._what, self._monotonic = chain, redemptions, what, monotonic
        self._size = RangeSize()

    async def round(
        self, *, last: int | None = None, within_s: float | None = None, progress: Progress | None = None
    ) -> Report:
        """To the last final block, or to `last` before it. What is outside never raises: it is in the report."""
        report = Report()
        try:
            await self._chain.check()
            report.final = final = (await self._chain.final()).number
            await self._go_on(report, final if last is None else min(final, last), within_s, progress)
        except (ChainError, Conflict, StoreUnavailable) as error:
            report.problems.append(str(error))
            report.alarm = isinstance(error, ChainWrong)
        _tell(report)
        return report

    async def _go_on(self, report: Report, last: int, within_s: float | None, progress: Progress | None) -> None:
        """Where another reading is quicker, this one goes on behind it. Raises Conflict where neither does."""
        at, stuck = -1, 0
        while True:
            cursor = await self._begin(report)
            at, stuck = cursor.trail.next, 0 if cursor.trail.next != at else stuck + 1
            try:
                return await self._read(report, cursor, last, within_s, progress)
            except Conflict:
                if stuck >= TRIES:
                    raise

    async def _read(
        self, report: Report, cursor: Cursor, last: int, within_s: float | None, progress: Progress | None
    ) -> None:
        started = self._monotonic()
        report.scanned_to = cursor.trail.next - 1
        while cursor.trail.next <= last:
            if within_s is not None and self._monotonic() - started > within_s:
                report.problems.append(f"blocks {cursor.trail.next} to {last} are left for the next round")
                return
            cursor = await self._step(report, cursor, last)
            report.scanned_to = cursor.trail.next - 1
            if progress:
                progress(self._what.first, report.scanned_to, last)

    async def _begin(self, report: Report) -> Cursor:
        """The cursor, gone back to a block that the chain still has."""
        cursor = await self._redemptions.cursor(self._what.name) or Cursor(Trail(self._what.first))
        trail = await self._still_there(cursor.trail, report.final or 0)
        if trail != cursor.trail:
            report.reorganised_from = trail.next
            log.error("the chain was reorganised below its final depth, somewhere after block %d", trail.next - 1)
        return replace(cursor, trail=trail)

    async def _still_there(self, trail: Trail, final: int) -> Trail:
        """The trail up to where the chain has the same block.

        Raises ChainUnavailable where the chain is shorter than the trail and not known to be another one: the nodes
        may be behind.
        """
        behind: ChainUnavailable | None = None
        replaced = False
        while trail.blocks:
            number, hash_ = trail.blocks[0]
            try:
                if (await self._chain.block(number)).hash == hash_:
                    break
                replaced, trail = True, trail.before(number)
            except ChainUnavailable as error:
                if number <= final:
                    raise
                behind, trail = error, trail.before(final + 1)
        if behind and not replaced:
            raise behind
        return trail

    async def _step(self, report: Report, cursor: Cursor, last: int) -> Cursor:
        """One range; where it is too much for the nodes, the next try is for half of it."""
        first, end = self._size.range(cursor.trail.next, last)
        blocks = end - first + 1
        try:
            stretch = await self._chain.stretch(first, end)
        except ChainTooMuch:
            if blocks == 1:
                raise
            self._size = self._size.halved(blocks)
            return cursor
        self._size = self._size.grown(blocks, stretch.logs)
        report.witnesses = min(report.witnesses or stretch.witnesses, stretch.witnesses)
        return await self._keep(report, cursor, stretch)

    async def _keep(self, report: Report, cursor: Cursor, stretch: Stretch) -> Cursor:
        """Make the stored redemptions of the range those of the chain; the cursor moves with the last of them."""
        todo = await self._changes(cursor.trail.next, stretch)
        parts = [todo[at : at + MOST] for at in range(0, len(todo), MOST)] or [[]]
        for place, part in enumerate(parts, 1):
            if place == len(parts):
                cursor = replace(cursor, trail=cursor.trail.passed(stretch.end.number, stretch.end.hash))
            findings = [self._finding(change) for change in await self._decorated(part)]
            cursor = await self._redemptions.write(self._what.name, cursor, findings)
            report.found += sum(change.before is None for change in part)
            report.corrected += sum(change.before is not None and change.told for change in part)
        return cursor

    async def _changes(self, first: int, stretch: Stretch) -> list[Change]:
        found = [Redemption.of(ticket, self._chain.id, timestamp) for ticket, timestamp in stretch.tickets]
        stored = await self._redemptions.within(self._chain.id, first, stretch.end.number)
        gone = missing([one for one in stored if one.sender in self._what.senders], found)
        await self._confirm(gone)
        return changes(gone, await self._known([one.key for one in found]), found)

    async def _confirm(self, gone: Sequence[Redemption]) -> None:
        """A log is gone with its block only. Raises ChainWrong where the block is still there."""
        for number, hash_ in sorted({(one.block_number, one.block_hash) for one in gone}):
            if (await self._chain.block(number)).hash == hash_:
                raise ChainWrong(f"block {number} is as it was, but a redemption that it holds was left out")

    async def _known(self, keys: Sequence[str]) -> dict[str, Redemption]:
        known: dict[str, Redemption] = {}
        for at in range(0, len(keys), MOST):
            known |= await self._redemptions.known(keys[at : at + MOST])
        return known

    async def _decorated(self, part: Sequence[Change]) -> list[Change]:
        new = [change.after for change in part if change.before is None]
        told = iter(await self._chain.decorations(new) if new else ())
        return [
            change if change.before else replace(change, after=replace(change.after, decorations=next(told)))
            for change in part
        ]

    def _finding(self, change: Change) -> Finding:
        told = change.told and self._what.told
        return Finding(change.after, change.over, _draft(change) if told else None)


def _draft(change: Change) -> Draft:
    """The announcement; a redemption is corrected under a new id each time."""
    after = change.after
    if change.before is None:
        return Draft(after.key, REDEMPTION, after.body())
    body = {**after.body(), "before": change.before.body()}
    return Draft(f"{after.key}-r{after.revision}", CORRECTION, body)


def _tell(report: Report) -> None:
    log.info("scanned to block %s: %d found, %d corrected", report.scanned_to, report.found, report.corrected)
    for problem in report.problems:
        log.log(logging.ERROR if report.alarm else logging.WARNING, "%s", problem)
