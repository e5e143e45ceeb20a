"""The one SQLite file that several processes of a machine share: how it is opened, and who may touch it when.

Each adapter over the file has a connection of its own and brings the tables that it needs; they are made when the
file is first used. `SCHEMA` is the whole file's: it goes up when a table changes in a way that an earlier release
could not live with, not when one is added.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from spillway.errors import StoreUnavailable

T = TypeVar("T")

SCHEMA = 1
TIMEOUT_S = 2.0


class SqliteFile:
    """A connection to the file, made with its directory on first use.

    One thread has the connection: sqlite3 blocks, and statements of one process gain nothing from going side by side.
    """

    def __init__(self, path: Path, tables: Sequence[str], *, timeout_s: float = TIMEOUT_S):
        self._path = path
        self._tables = tables
        self._timeout_s = timeout_s
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._connection: sqlite3.Connection | None = None
        self._shares: deque[_Share[Any]] = deque()

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Do this with the connection; each statement by itself. Raises StoreUnavailable, also when it takes long."""

        def run() -> T:
            self._connection = self._connection or _opened(self._path, self._tables, self._timeout_s)
            return job(self._connection)

        with translated():
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def transaction(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Do this as one: all of it is written, or nothing where it raises. Nobody else writes meanwhile."""

        def run(db: sqlite3.Connection) -> T:
            with transaction(db):
                return job(db)

        return await self.run(run)

    async def together(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """The same, in one transaction with whatever others ask for while the disk is busy with those before.

        A transaction takes as long as the disk needs to be sure of it, some milliseconds, however much it holds: so a
        thousand at once take as long as a few one by one. Where one fails, all of them do; `job` raises nothing but
        what sqlite3 does.
        """
        one = _Share(job)
        self._shares.append(one)

        def run(db: sqlite3.Connection) -> T:
            _write_all(db, self._shares)
            return one.outcome()

        try:
            return await self.run(run)
        finally:
            one.wanted = False

    async def close(self) -> None:
        """Close the file, where it was opened."""
        try:
            if self._connection:
                await self.run(lambda db: db.close())
        finally:
            self._thread.shutdown(wait=False)


class _Share(Generic[T]):
    """One caller's part of a transaction. It is not `wanted` any more when its caller has given up."""

    def __init__(self, job: Callable[[sqlite3.Connection], T]):
        self.job = job
        self.wanted = True
        self.error: BaseException | None = None
        self.values: list[T] = []

    def outcome(self) -> T:
        """What the job gave, once it is written. Raises what kept it from being."""
        if self.error:
            raise self.error
        return self.values[0]


def _write_all(db: sqlite3.Connection, shares: "deque[_Share[Any]]") -> None:
    """Write what waits, in the order in which it came. Each caller calls this; the first does it for all."""
    taken = [one for one in (shares.popleft() for _ in range(len(shares))) if one.wanted]
    if not taken:
        return
    try:
        with transaction(db):
            for one in taken:
                one.values = [one.job(db)]
    except BaseException as error:
        for one in taken:
            one.error = error
        raise


@contextmanager
def translated() -> Iterator[None]:
    """Turn what sqlite3, the file system and the time limit raise into StoreUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable("the state file is locked or its disk too slow") from error
    except (sqlite3.Error, sqlite3.Warning, OSError) as error:
        raise StoreUnavailable(f"the state file can't be used ({error})") from error


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """The write lock is taken at once: a transaction that began by reading could not get it any more."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # Some errors of SQLite have ended the transaction already.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _opened(path: Path, tables: Sequence[str], timeout_s: float) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, tables, time.monotonic() + timeout_s)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, tables: Sequence[str], end: float) -> None:
    _to_wal(db, end)
    # NORMAL could lose the last writes with the power, and with them money that was granted.
    db.execute("PRAGMA synchronous = FULL")
    with transaction(db):
        [(schema,)] = db.execute("PRAGMA user_version").fetchall()
        if schema > SCHEMA:
            raise StoreUnavailable(f"the state file has schema {schema}, this release knows {SCHEMA}")
        for table in tables:
            db.execute(table)
        db.execute(f"PRAGMA user_version = {SCHEMA}")


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
