"""Documents in one SQLite file that several processes of a machine share."""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spillway.adapters.sqlite_file import TIMEOUT_S, SqliteFile
from spillway.domain.documents import name_of, packed, unpacked
from spillway.errors import Conflict
from spillway.ports import Clock
from spillway.ports.store import Document

Row = tuple[str, str, float]

_CREATE = """CREATE TABLE IF NOT EXISTS documents (
    folder TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, version TEXT NOT NULL, updated REAL NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID"""
_READ = "SELECT text, version, updated FROM documents WHERE folder = ? AND name = ?"
_LIST = "SELECT text, version, updated FROM documents WHERE folder = ? ORDER BY name"
_UNCHANGED = "SELECT text, version, updated FROM documents WHERE folder = ? AND updated < ? ORDER BY updated LIMIT ?"
_INSERT = "INSERT INTO documents (text, version, updated, folder, name) VALUES (?, ?, ?, ?, ?)"
_NEW = f"{_INSERT} ON CONFLICT DO NOTHING"
_WRITE = (
    f"{_INSERT} ON CONFLICT DO UPDATE SET text = excluded.text, version = excluded.version, updated = excluded.updated"
)
_UPDATE = "UPDATE documents SET text = ?, version = ?, updated = ? WHERE folder = ? AND name = ? AND version = ?"
_DELETE = "DELETE FROM documents WHERE folder = ? AND name = ?"


class SqliteStore:
    """Adapter of ports.store.Store over the state file."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S, epoch: Clock = time.time):
        self._file = SqliteFile(path, [_CREATE], timeout_s=timeout_s)
        self._epoch = epoch

    async def read(self, folder: str, key: str) -> Document | None:
        """The latest version."""
        rows = await self._file.run(lambda db: db.execute(_READ, (folder, name_of(key))).fetchall())
        return _document(key, rows[0]) if rows else None

    async def list(self, folder: str) -> list[Document]:
        """All documents of a folder."""
        return _documents(await self._file.run(lambda db: db.execute(_LIST, (folder,)).fetchall()))

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write the whole document."""
        row = self._row(key, body)
        await self._file.together(lambda db: db.execute(_WRITE, (*row, folder, name_of(key))))
        return _document(key, row)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """Write over this version only. Raises Conflict."""
        row = self._row(key, body)
        where = (folder, name_of(key))
        statement, values = (_NEW, (*row, *where)) if version is None else (_UPDATE, (*row, *where, version))
        if not await self._file.together(lambda db: db.execute(statement, values).rowcount):
            raise Conflict(f"{folder}/{key} was changed meanwhile")
        return _document(key, row)

    async def delete(self, folder: str, key: str) -> None:
        """Remove the document."""
        await self._file.together(lambda db: db.execute(_DELETE, (folder, name_of(key))))

    async def unchanged(self, folder: str, before: float, limit: int = 500) -> Sequence[Document]:
        """Documents that were last written before a time."""
        values = (folder, before, limit)
        return _documents(await self._file.run(lambda db: db.execute(_UNCHANGED, values).fetchall()))

    async def close(self) -> None:
        """Close the file, where it was opened."""
        await self._file.close()

    def _row(self, key: str, body: Mapping[str, Any]) -> Row:
        return packed(key, body), uuid.uuid4().hex, self._epoch()


def _document(key: str, row: Row) -> Document:
    text, version, updated = row
    return Document(*(unpacked(text) or (key, {})), version, updated)


def _documents(rows: Iterable[Row]) -> list[Document]:
    return [Document(*kept, version, updated) for text, version, updated in rows if (kept := unpacked(text))]
