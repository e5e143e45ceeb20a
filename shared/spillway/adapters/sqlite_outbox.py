"""The outbox in the state file."""

import json
import sqlite3
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spillway.adapters.sqlite_file import TIMEOUT_S, SqliteFile
from spillway.errors import Conflict
from spillway.ports import Clock
from spillway.ports.outbox import Draft, Entry

TABLES = (
    """CREATE TABLE IF NOT EXISTS outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL,
        created REAL NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL, done REAL
    )""",
    "CREATE INDEX IF NOT EXISTS outbox_pending ON outbox (position) WHERE done IS NULL",
)
_ADD = (
    "INSERT INTO outbox (id, kind, body, created, version, state) VALUES (?, ?, ?, ?, ?, '{}') ON CONFLICT DO NOTHING"
)
_PENDING = "SELECT * FROM outbox WHERE done IS NULL ORDER BY position LIMIT ?"
_FIND = "SELECT * FROM outbox WHERE id = ?"
_MARK = "UPDATE outbox SET state = ?, version = ? WHERE id = ? AND version = ? AND done IS NULL RETURNING *"
_DONE = "UPDATE outbox SET done = ? WHERE id = ? AND done IS NULL"


class SqliteOutbox:
    """Adapter of ports.outbox.Outbox over the state file."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S, epoch: Clock = time.time):
        self._file = SqliteFile(path, TABLES, timeout_s=timeout_s)
        self._epoch = epoch

    async def add(self, drafts: Sequence[Draft]) -> int:
        """Those that are new."""
        return await self._file.transaction(lambda db: sum(insert(db, draft, self._epoch()) for draft in drafts))

    async def pending(self, limit: int) -> list[Entry]:
        """The first that are not done."""
        return [_entry(row) for row in await self._file.run(lambda db: db.execute(_PENDING, (limit,)).fetchall())]

    async def find(self, entry_id: str) -> Entry | None:
        """An entry by its id."""
        rows = await self._file.run(lambda db: db.execute(_FIND, (entry_id,)).fetchall())
        return _entry(rows[0]) if rows else None

    async def mark(self, entry_id: str, state: Mapping[str, Any], over: str) -> Entry:
        """Replace the state. Raises Conflict."""
        values = (json.dumps(state), uuid.uuid4().hex, entry_id, over)
        rows = await self._file.run(lambda db: db.execute(_MARK, values).fetchall())
        if not rows:
            raise Conflict(f"the announcement {entry_id} was changed meanwhile")
        return _entry(rows[0])

    async def done(self, entry_id: str) -> None:
        """Take it off the list."""
        await self._file.run(lambda db: db.execute(_DONE, (self._epoch(), entry_id)))

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def insert(db: sqlite3.Connection, draft: Draft, now: float) -> bool:
    """Within a transaction of the caller's; False where its id is there already."""
    values = (draft.id, draft.kind, json.dumps(draft.body), now, uuid.uuid4().hex)
    return db.execute(_ADD, values).rowcount == 1


def _entry(row: tuple[int, str, str, str, float, str, str, float | None]) -> Entry:
    position, entry_id, kind, body, created, version, state, done = row
    return Entry(position, entry_id, kind, json.loads(body), created, version, json.loads(state), done)
