"""Documents in one SQLite file that several processes of a machine share."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from spillway.domain.documents import name_of, packed, unpacked
from spillway.errors import Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Document

T = TypeVar("T")
Row = tuple[str, str, float]

SCHEMA = 1
TIMEOUT_S = 2.0
_CREATE = """CREATE TABLE IF NOT EXISTS documents (
    folder TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, version TEXT NOT NULL, updated REAL NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID"""
_READ = "SELECT text, version, updated FROM documents WHERE folder = ? AND name = ?"
_LIST = "SELECT text, version, updated FROM documents WHERE folder = ? ORDER BY name"
_INSERT = "INSERT INTO documents (text, version, updated, folder, name) VALUES (?, ?, ?, ?, ?)"
_NEW = f"{_INSERT} ON CONFLICT DO NOTHING"
_WRITE = (
    f"{_INSERT} ON CONFLICT DO UPDATE SET text = excluded.text, version = excluded.version, updated = excluded.updated"
)
_UPDATE = "UPDATE documents SET text = ?, version = ?, updated = ? WHERE folder = ? AND name = ? AND version = ?"
_DELETE = "DELETE FROM documents WHERE folder = ? AND name = ?"


class SqliteStore:
    """Adapter of ports.store.Store over a file, made with its directory on first use.

    One thread has the connection: sqlite3 blocks, and statements of one process gain nothing from going side by side.
    """

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S, epoch: Clock = time.time):
        self._path = path
        self._timeout_s = timeout_s
        self._epoch = epoch
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._connection: sqlite3.Connection | None = None

    async def read(self, folder: str, key: str) -> Document | None:
        """The latest version."""
        rows = await self._run(lambda db: db.execute(_READ, (folder, name_of(key))).fetchall())
        return _document(rows[0]) if rows else None

    async def list(self, folder: str) -> list[Document]:
        """All documents of a folder."""
        return [_document(row) for row in await self._run(lambda db: db.execute(_LIST, (folder,)).fetchall())]

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write the whole document."""
        row = self._row(key, body)
        await self._run(lambda db: db.execute(_WRITE, (*row, folder, name_of(key))))
        return _document(row)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """Write over this version only. Raises Conflict."""
        row = self._row(key, body)
        where = (folder, name_of(key))
        statement, values = (_NEW, (*row, *where)) if version is None else (_UPDATE, (*row, *where, version))
        if not await self._run(lambda db: db.execute(statement, values).rowcount):
            raise Conflict(f"{folder}/{key} was changed meanwhile")
        return _document(row)

    async def delete(self, folder: str, key: str) -> None:
        """Remove the document."""
        await self._run(lambda db: db.execute(_DELETE, (folder, name_of(key))))

    async def close(self) -> None:
        """Close the file, where it was opened."""
        try:
            if self._connection:
                await self._run(lambda db: db.close())
        finally:
            self._thread.shutdown(wait=False)

    def _row(self, key: str, body: Mapping[str, Any]) -> Row:
        return packed(key, body), uuid.uuid4().hex, self._epoch()

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            self._connection = self._connection or _opened(self._path, self._timeout_s)
            return job(self._connection)

        with translated():
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._thread, run)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what sqlite3, the file system and the time limit raise into StoreUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable("the state file is locked or its disk too slow") from error
    except (sqlite3.Error, sqlite3.Warning, OSError) as error:
        raise StoreUnavailable(f"the state file can't be used ({error})") from error


def _opened(path: Path, timeout_s: float) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, time.monotonic() + timeout_s)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, end: float) -> None:
    _to_wal(db, end)
    # NORMAL could lose the last writes with the power, and with them money that was granted.
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")
    try:
        [(schema,)] = db.execute("PRAGMA user_version").fetchall()
        if schema > SCHEMA:
            raise StoreUnavailable(f"the state file has schema {schema}, this release knows {SCHEMA}")
        db.execute(_CREATE)
        db.execute(f"PRAGMA user_version = {SCHEMA}")
    finally:
        db.execute("COMMIT")


def _to_wal(db: sqlite3.Connection, end: float) -> None:
    """Several readers beside one writer. SQLite doesn't wait for a lock in this one statement."""
    while not _is_wal(db, last=time.monotonic() > end):
        time.sleep(0.01)


def _is_wal(db: sqlite3.Connection, *, last: bool) -> bool:
    try:
        db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError:
        if last:
            raise
        return False
    return True


def _document(row: Row) -> Document:
    text, version, updated = row
    key, body = unpacked(text)
    return Document(key, body, version, updated)
