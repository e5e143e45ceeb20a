"""Redemptions in the state file, beside the outbox that announces them."""

import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spillway.adapters import sqlite_outbox
from spillway.adapters.sqlite_file import TIMEOUT_S, SqliteFile
from spillway.domain.redemptions import Redemption, order_bounds, read_redemption
from spillway.domain.trail import read_trail
from spillway.errors import Conflict
from spillway.ports import Clock
from spillway.ports.redemptions import Cursor, Finding, Page

_TABLES = (
    """CREATE TABLE IF NOT EXISTS redemptions (
        key TEXT PRIMARY KEY, place TEXT NOT NULL, chain INTEGER NOT NULL, block INTEGER NOT NULL,
        removed INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS redemptions_place ON redemptions (place)",
    "CREATE INDEX IF NOT EXISTS redemptions_block ON redemptions (chain, block)",
    "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, trail TEXT NOT NULL, version TEXT NOT NULL)",
)
_CURSOR = "SELECT trail, version FROM cursors WHERE name = ?"
_NEW_CURSOR = "INSERT INTO cursors (trail, version, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_MOVE_CURSOR = "UPDATE cursors SET trail = ?, version = ? WHERE name = ? AND version = ?"
_INSERT = (
    "INSERT INTO redemptions (place, chain, block, removed, revision, body, key) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_UPDATE = (
    "UPDATE redemptions SET place = ?, chain = ?, block = ?, removed = ?, revision = ?, body = ? "
    "WHERE key = ? AND revision = ?"
)
_WITHIN = "SELECT body FROM redemptions WHERE chain = ? AND block BETWEEN ? AND ? ORDER BY place"
_PAGE = "SELECT body FROM redemptions WHERE place >= ? AND place < ? AND removed <= ? ORDER BY place DESC LIMIT ?"


class SqliteRedemptions:
    """Adapter of ports.redemptions.Redemptions over the state file."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S, epoch: Clock = time.time):
        self._file = SqliteFile(path, (*_TABLES, *sqlite_outbox.TABLES), timeout_s=timeout_s)
        self._epoch = epoch

    async def cursor(self, name: str) -> Cursor | None:
        """How far a reading has come."""
        rows = await self._file.run(lambda db: db.execute(_CURSOR, (name,)).fetchall())
        return Cursor(read_trail(json.loads(rows[0][0])), rows[0][1]) if rows else None

    async def write(self, name: str, cursor: Cursor, findings: Sequence[Finding]) -> Cursor:
        """All in one transaction. Raises Conflict."""
        moved = replace(cursor, version=uuid.uuid4().hex)

        def write(db: sqlite3.Connection) -> None:
            _move(db, name, moved, cursor.version)
            for finding in findings:
                _put(db, finding)
                if finding.draft:
                    sqlite_outbox.insert(db, finding.draft, self._epoch())

        await self._file.transaction(write)
        return moved

    async def known(self, keys: Sequence[str]) -> dict[str, Redemption]:
        """By their keys."""
        statement = f"SELECT body FROM redemptions WHERE key IN ({', '.join('?' * len(keys))})"  # noqa: S608 (marks)
        return {one.key: one for one in await self._read(statement, *keys)}

    async def within(self, chain_id: int, first: int, last: int) -> list[Redemption]:
        """By their blocks."""
        return await self._read(_WITHIN, chain_id, first, last)

    async def page(self, *, since: int, before: int, removed: bool, after: str | None, limit: int) -> Page:
        """The newest first."""
        low, high = order_bounds(since, before, after)
        found = await self._read(_PAGE, low, high, int(removed), limit + 1)
        return Page(found[:limit], found[limit - 1].order if len(found) > limit else None)

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()

    async def _read(self, statement: str, *values: str | int) -> list[Redemption]:
        rows = await self._file.run(lambda db: db.execute(statement, values).fetchall())
        return [read_redemption(json.loads(body)) for (body,) in rows]


def _move(db: sqlite3.Connection, name: str, cursor: Cursor, over: str) -> None:
    values = (json.dumps(cursor.trail.body()), cursor.version, name)
    statement, more = (_MOVE_CURSOR, (over,)) if over else (_NEW_CURSOR, ())
    if not db.execute(statement, (*values, *more)).rowcount:
        raise Conflict("another reading of the chain has moved on")


def _put(db: sqlite3.Connection, finding: Finding) -> None:
    one = finding.redemption
    removed, body = one.status == "removed", json.dumps(one.body())
    values = (one.order, one.chain_id, one.block_number, removed, one.revision, body, one.key)
    statement, more = (_INSERT, ()) if finding.over is None else (_UPDATE, (finding.over,))
    if not db.execute(statement, (*values, *more)).rowcount:
        raise Conflict(f"the redemption {one.key} was changed meanwhile")
