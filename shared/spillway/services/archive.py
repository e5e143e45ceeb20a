"""The past, from an hour to ninety days: sums what instances wrote down, keeps it small, and reads it back."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
from spillway.errors import BadRequest, Conflict
from spillway.ports import Clock
from spillway.ports.store import Document, Store
from spillway.services.chronicling import MINUTES

SUMMED_AFTER_S = 300.0
"""An hour is summed so long after its end; what comes later still is summed again, as long as minutes are kept."""
MINUTES_KEPT_S = 3 * HOUR_S
SETTLED_S = 2 * HOUR_S
GRAINS: Mapping[str, tuple[int, float]] = {"quarters": (QUARTER_S, 4 * DAY_S), "hours": (HOUR_S, 100 * DAY_S)}
"""Folders of days: how long a stretch is in them, and how long they are kept."""


@dataclass(frozen=True, slots=True)
class Range:
    """How far back a view goes, and the length of one of its stretches, in seconds."""

    span_s: int
    step_s: int


RANGES: Mapping[str, Range] = {
    "1h": Range(HOUR_S, MINUTE_S),
    "6h": Range(6 * HOUR_S, QUARTER_S),
    "24h": Range(DAY_S, QUARTER_S),
    "7d": Range(7 * DAY_S, HOUR_S),
    "30d": Range(30 * DAY_S, 6 * HOUR_S),
    "90d": Range(90 * DAY_S, DAY_S),
}


def range_named(name: str) -> Range:
    """Raises BadRequest with the names that there are."""
    if name not in RANGES:
        raise BadRequest(f"range must be one of {', '.join(RANGES)}", code="invalid_parameter", param="range")
    return RANGES[name]


@dataclass(slots=True)
class Archive:
    """Reads and sums. Days that are over don't change, so they are read once; nobody adds to a view that was given."""

    store: Store
    epoch: Clock = time.time
    _days: dict[tuple[str, str], tuple[str, Cells]] = field(default_factory=dict)

    async def cells(self, view: Range) -> Cells:
        """Every stretch of a view, the empty ones too, the oldest first. Raises StoreUnavailable."""
        now = int(self.epoch())
        last = now - now % view.step_s
        first = last - view.span_s + view.step_s
        found: Cells = {start: {} for start in range(first, last + 1, view.step_s)}
        minutes = await self._minutes()
        kept, summed = await self._kept(view, first)
        for hour, cells in minutes.items():
            if hour not in summed or now - hour < SETTLED_S:
                kept = {start: row for start, row in kept.items() if start - start % HOUR_S != hour}
                merge(found, _since(cells, first), view.step_s)
        merge(found, _since(kept, first), view.step_s)
        return found

    async def _kept(self, view: Range, first: int) -> tuple[Cells, set[int]]:
        """What has been summed already, and the hours that it covers."""
        if view.step_s < QUARTER_S:
            return {}, set()
        folder = "quarters" if view.step_s < HOUR_S else "hours"
        together: Cells = {}
        days = [document for document in await self.store.list(folder) if document.key >= _day(first)]
        read = {(folder, document.key): self._read(folder, document) for document in days}
        self._days = {key: day for key, day in self._days.items() if key[0] != folder} | read
        for _, cells in read.values():
            together.update(cells)
        return together, {start - start % HOUR_S for start in together}

    def _read(self, folder: str, document: Document) -> tuple[str, Cells]:
        known = self._days.get((folder, document.key))
        if known and known[0] == document.version:
            return known
        understood = document.body.get("version") == VERSION
        return document.version, cells_of(document.body["cells"]) if understood else {}

    async def _minutes(self) -> dict[int, Cells]:
        hours: dict[int, Cells] = {}
        for document in await self.store.list(MINUTES):
            if document.body.get("version") == VERSION:
                merge(hours.setdefault(int(document.body["hour"]), {}), cells_of(document.body["cells"]))
        return hours

    async def sum_up(self) -> None:
        """Sum the hours that are over, then forget their minutes and days that are too old. Raises StoreUnavailable.

        It may be cut off or run twice anywhere: an hour is summed from all of its minutes each time, and these are
        forgotten only when their sum has been kept.
        """
        now = self.epoch()
        by_hour: dict[int, list[Document]] = {}
        for document in await self.store.list(MINUTES):
            if document.body.get("version") == VERSION:
                by_hour.setdefault(int(document.body["hour"]), []).append(document)
        for hour, documents in sorted(by_hour.items()):
            if now < hour + HOUR_S + SUMMED_AFTER_S:
                continue
            if not await self._sum_hour(hour, documents) or now < hour + HOUR_S + MINUTES_KEPT_S:
                continue
            for document in documents:
                await self.store.delete(MINUTES, document.key)
        await self._forget(now)

    async def _sum_hour(self, hour: int, documents: Iterable[Document]) -> bool:
        cells: Cells = {}
        latest = max(document.updated for document in documents)
        for document in documents:
            merge(cells, cells_of(document.body["cells"]))
        kept = [await self._keep(folder, hour, latest, cells) for folder in GRAINS]
        return all(kept)

    async def _keep(self, folder: str, hour: int, latest: float, cells: Cells) -> bool:
        """Write an hour into its day; False where somebody else changed the day meanwhile."""
        key = _day(hour)
        found = await self.store.read(folder, key)
        body: dict[str, Any] = dict(found.body) if found else {"version": VERSION, "summed": {}, "cells": {}}
        if body["summed"].get(str(hour), -1.0) >= latest:
            return True
        others = {start: row for start, row in body["cells"].items() if int(start) - int(start) % HOUR_S != hour}
        gathered: Cells = {}
        merge(gathered, cells, GRAINS[folder][0])
        body["cells"] = {**others, **body_of(gathered)}
        body["summed"] = {**body["summed"], str(hour): latest}
        try:
            await self.store.replace(folder, key, body, found.version if found else None)
        except Conflict:
            return False
        return True

    async def _forget(self, now: float) -> None:
        for folder, (_, kept_s) in GRAINS.items():
            for document in await self.store.list(folder):
                if document.key < _day(now - kept_s):
                    await self.store.delete(folder, document.key)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _since(cells: Cells, first: int) -> Cells:
    return {start: row for start, row in cells.items() if start >= first}
