"""Lane statistics: how long jobs took by lane and server, measured by workers, shared through the store.

One document a lane. A worker writes what it has measured at most every `WRITE_EVERY_S` seconds; whoever shows
estimates reads a lane again when what it knows is older than `READ_EVERY_S`.
"""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from typing import Any

from spillway.domain.estimates import LanePace, Pace
from spillway.domain.pace import first_guess
from spillway.errors import Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Document, Store
from spillway.services.ending import ended

log = logging.getLogger("spillway")

FOLDER = "paces"
WRITE_EVERY_S, READ_EVERY_S = 5.0, 5.0
LANES_KEPT = 512
TRIES = 3


class Paces:
    """The lanes' paces, as this process knows them. `epoch` is the clock that processes share."""

    def __init__(self, store: Store, *, epoch: Clock):
        self._store, self._epoch = store, epoch
        self._known: dict[str, tuple[float, LanePace]] = {}
        self._measured: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
        self._writing: asyncio.Task[None] | None = None

    async def of(self, lane: str) -> LanePace:
        """A lane's pace, a few seconds old at the most where the store answers."""
        read_at, known = self._known.get(lane, (-1e18, _unknown(lane)))
        if not 0 <= self._epoch() - read_at < READ_EVERY_S:
            self._keep(lane, known)
            with suppress(StoreUnavailable):
                known = _read(lane, await self._store.read(FOLDER, lane))
                self._keep(lane, known)
        return known

    def _keep(self, lane: str, pace: LanePace) -> None:
        self._known.pop(lane, None)
        self._known[lane] = (self._epoch(), pace)
        while len(self._known) > LANES_KEPT:
            del self._known[next(iter(self._known))]

    def measured(self, lane: str, server: str, seconds: float) -> None:
        """A job was done. Never waits: it is written in a while, together with others."""
        self._measured[lane].append((server, self._epoch(), seconds))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def close(self) -> None:
        """Write what has been measured."""
        await ended(self._writing)
        await self._write()

    async def _write_soon(self) -> None:
        while self._measured:
            await asyncio.sleep(WRITE_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        measured, self._measured = self._measured, defaultdict(list)
        for lane, done in measured.items():
            try:
                await self._add(lane, done)
            except StoreUnavailable as error:
                log.warning("what jobs took can't be kept now: %s", error)

    async def _add(self, lane: str, done: list[tuple[str, float, float]]) -> None:
        """Add to what other workers have written; after some who were quicker each time, these go under."""
        for _ in range(TRIES):
            found = await self._store.read(FOLDER, lane)
            pace = _with(_read(lane, found), done)
            with suppress(Conflict):
                await self._store.replace(FOLDER, lane, _body(pace), found.version if found else None)
                self._keep(lane, pace)
                return


def _unknown(lane: str) -> LanePace:
    return LanePace(first_guess(lane.partition(" ")[0])[0])


def _with(pace: LanePace, done: list[tuple[str, float, float]]) -> LanePace:
    servers = dict(pace.servers)
    for server, at, seconds in done:
        servers[server] = servers.get(server, Pace()).with_one(at, seconds)
    return LanePace(pace.usual_s, servers)


def _body(pace: LanePace) -> dict[str, Any]:
    return {"servers": {name: [list(one) for one in server.done] for name, server in pace.servers.items()}}


def _read(lane: str, document: Document | None) -> LanePace:
    """What a document says; what can't be understood is as good as nothing."""
    unknown = _unknown(lane)
    try:
        servers = document.body["servers"] if document else {}
        return LanePace(unknown.usual_s, {
            str(name): Pace(tuple((float(at), float(seconds)) for at, seconds in done))
            for name, done in servers.items()
        })  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        return unknown
