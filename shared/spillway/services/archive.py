"""The past, from an hour to ninety days: sums what instances wrote down, keeps it small, and reads it back."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spillway.domain.chronicle import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    QUARTER_S,
    VERSION,
    Cells,
    body_of,
    cells_of,
    merge,
)
from spillway.errors import BadRequest
from spillway.ports import Clock
from spillway.ports.store import Document, Store
from spillway.services.chronicling import MINUTES, Chronicling

SUMMED_AFTER_S = 300.0
"""An hour is summed so long after its end; what comes later still is summed again, as long as minutes are kept."""
MINUTES_KEPT_S = 3 * HOUR_S
SUM: Mapping[str, type] = {"summed": dict, "cells": dict}
MINUTE_BOOK: Mapping[str, type] = {"hour": int, "cells": dict}
"""What must be in a sum, and in what an instance wrote of its minutes."""


@dataclass(frozen=True, slots=True)
class Grain:
    """A folder of sums: the length of one stretch, how its documents are named, and how long they are kept."""

    folder: str
    step_s: int
    name: str
    kept_s: float


QUARTERS = Grain("quarters", QUARTER_S, "%Y-%m-%d", 4 * DAY_S)
HOURS = Grain("hours", HOUR_S, "%Y-%m-%d", 40 * DAY_S)
DAYS = Grain("days", DAY_S, "%Y-%m", 130 * DAY_S)


@dataclass(frozen=True, slots=True)
class Range:
    """How far back a view goes, and the length of one of its stretches, in seconds."""

    span_s: int
    step_s: int
    grain: Grain | None = None


RANGES: Mapping[str, Range] = {
    "1h": Range(HOUR_S, MINUTE_S),
    "6h": Range(6 * HOUR_S, QUARTER_S, QUARTERS),
    "24h": Range(DAY_S, QUARTER_S, QUARTERS),
    "7d": Range(7 * DAY_S, HOUR_S, HOURS),
    "30d": Range(30 * DAY_S, 6 * HOUR_S, HOURS),
    "90d": Range(90 * DAY_S, DAY_S, DAYS),
}


def range_named(name: str) -> Range:
    """Raises BadRequest with the names that there are."""
    if name not in RANGES:
        raise BadRequest(f"range must be one of {', '.join(RANGES)}", code="invalid_parameter", param="range")
    return RANGES[name]


class Archive:
    """Reads and sums. Documents that have not changed are taken apart once; `own` has this instance's latest."""

    def __init__(self, store: Store, epoch: Clock = time.time, own: Chronicling | None = None):
        self._store, self._epoch, self._own = store, epoch, own
        self._read: dict[str, tuple[str, Cells]] = {}

    async def cells(self, view: Range) -> Cells:
        """Every stretch of a view, the empty ones too, the oldest first. Raises StoreUnavailable."""
        now = int(self._epoch())
        last = now - now % view.step_s
        first = last - view.span_s + view.step_s
        found: Cells = {start: {} for start in range(first, last + 1, view.step_s)}
        summed: set[int] = set()
        for document in await self._sums(view, first, now):
            summed.update(map(int, document.body["summed"]))
            merge(found, _since(self._cells(document), first), view.step_s)
        for hour, cells in (await self._minutes()).items():
            if hour not in summed:
                merge(found, _since(cells, first), view.step_s)
        return found

    async def _sums(self, view: Range, first: int, now: int) -> list[Document]:
        grain = view.grain
        if grain is None:
            return []
        keys = dict.fromkeys(_named(grain, at) for at in [*range(first, now, DAY_S), now])
        read = await asyncio.gather(*(self._store.read(grain.folder, key) for key in keys))
        return [document for document in read if document and _is_known(document.body, SUM)]

    def _cells(self, document: Document) -> Cells:
        version, cells = self._read.get(document.key, ("", {}))
        if version != document.version:
            cells = cells_of(document.body["cells"])
            self._read[document.key] = (document.version, cells)
        return cells

    async def _minutes(self) -> dict[int, Cells]:
        hours: dict[int, Cells] = {}
        own = self._own.latest() if self._own else {}
        for hour, documents in (await self._hours()).items():
            for document in documents:
                if document.key not in own:
                    merge(hours.setdefault(hour, {}), cells_of(document.body["cells"]))
        for hour, cells in own.values():
            merge(hours.setdefault(hour, {}), cells)
        return hours

    async def _hours(self) -> dict[int, list[Document]]:
        """What instances wrote, by the hour that it is about."""
        hours: dict[int, list[Document]] = {}
        for document in await self._store.list(MINUTES):
            if _is_known(document.body, MINUTE_BOOK):
                hours.setdefault(document.body["hour"], []).append(document)
        return hours

    async def sum_up(self) -> None:
        """Sum the hours that are over, then forget their minutes and sums that are too old. Raises StoreUnavailable.

        It may be cut off or run twice anywhere: an hour is summed from all of its minutes each time, and these are
        forgotten only when their sum has been kept.
        """
        now = self._epoch()
        for hour, documents in sorted((await self._hours()).items()):
            if now < hour + HOUR_S + SUMMED_AFTER_S:
                continue
            await self._sum_hour(hour, documents)
            if now >= hour + HOUR_S + MINUTES_KEPT_S:
                for document in documents:
                    await self._store.delete(MINUTES, document.key)
        await self._forget(now)

    async def _sum_hour(self, hour: int, documents: Sequence[Document]) -> None:
        """Into its quarters, its hour and its day, the day last: it is the sum of hours that have been kept."""
        latest = max(document.updated for document in documents)
        cells: Cells = {}
        for document in documents:
            merge(cells, cells_of(document.body["cells"]))
        await self._keep(QUARTERS, hour, latest, (hour, HOUR_S), cells)
        day = await self._keep(HOURS, hour, latest, (hour, HOUR_S), cells)
        await self._keep(DAYS, hour, latest, (hour - hour % DAY_S, DAY_S), cells_of(day["cells"]))

    async def _keep(
        self, grain: Grain, hour: int, latest: float, stretch: tuple[int, int], cells: Cells
    ) -> Mapping[str, Any]:
        """Write a stretch anew, with an hour that is now in it. Raises Conflict where somebody else did meanwhile."""
        key = _named(grain, hour)
        found = await self._store.read(grain.folder, key)
        body: dict[str, Any] = {"version": VERSION, "summed": {}, "cells": {}}
        if found and _has(found.body, SUM):
            body |= found.body
        if body["summed"].get(str(hour), -1.0) >= latest:
            return body
        begin, length_s = stretch
        others = {start: row for start, row in body["cells"].items() if not begin <= int(start) < begin + length_s}
        gathered: Cells = {}
        merge(gathered, cells, grain.step_s)
        body["cells"] = {**others, **body_of(gathered)}
        body["summed"] = {**body["summed"], str(hour): latest}
        await self._store.replace(grain.folder, key, body, found.version if found else None)
        return body

    async def _forget(self, now: float) -> None:
        for grain in (QUARTERS, HOURS, DAYS):
            for document in await self._store.list(grain.folder):
                if document.key < _named(grain, now - grain.kept_s):
                    self._read.pop(document.key, None)
                    await self._store.delete(grain.folder, document.key)


def _named(grain: Grain, at: float) -> str:
    return f"{grain.folder} {time.strftime(grain.name, time.gmtime(at))}"


def _is_known(body: Mapping[str, Any], parts: Mapping[str, type]) -> bool:
    """Whether this version wrote it, and nobody else into it."""
    return body.get("version") == VERSION and _has(body, parts)


def _has(body: Mapping[str, Any], parts: Mapping[str, type]) -> bool:
    return all(isinstance(body.get(name), kind) for name, kind in parts.items())


def _since(cells: Cells, first: int) -> Cells:
    return {start: row for start, row in cells.items() if start >= first}
