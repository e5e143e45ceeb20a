"""Writes that come together are made together."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spillway.adapters.sqlite_file import SqliteFile
from spillway.errors import StoreUnavailable

TABLE = "CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)"


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    made = SqliteFile(tmp_path / "state.db", [TABLE], timeout_s=5)
    yield made
    await made.close()


class Busy:
    """Keeps the file's thread at something until it is let go."""

    def __init__(self, file: SqliteFile):
        self._go = threading.Event()
        self._task = asyncio.create_task(file.run(lambda _: self._go.wait(5)))

    async def __aenter__(self) -> None:
        await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        self._go.set()
        await self._task


async def write(file: SqliteFile, number: int) -> int:
    return await file.together(lambda db: db.execute("INSERT INTO numbers VALUES (?)", (number,)).rowcount)


async def numbers(file: SqliteFile) -> list[int]:
    return [n for (n,) in await file.run(lambda db: db.execute("SELECT n FROM numbers ORDER BY n").fetchall())]


async def test_hundred_writes_at_once_are_one_transaction(file: SqliteFile) -> None:
    said: list[str] = []
    await file.run(lambda db: db.set_trace_callback(said.append))
    async with Busy(file):
        writing = [asyncio.create_task(write(file, number)) for number in range(100)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*writing) == [1] * 100
    assert said.count("COMMIT") == 1
    assert await numbers(file) == list(range(100))


async def test_writes_are_made_in_their_order(file: SqliteFile) -> None:
    async def last() -> int:
        return await file.together(lambda db: db.execute("SELECT max(n) FROM numbers").fetchone()[0])

    async with Busy(file):
        asked = [asyncio.create_task(one) for one in (write(file, 1), last(), write(file, 2), last())]
        await asyncio.sleep(0)
    assert await asyncio.gather(*asked) == [1, 1, 1, 2]


async def test_one_that_fails_takes_those_with_it_and_none_after(file: SqliteFile) -> None:
    """Nobody is told that something is written which is not."""
    async with Busy(file):
        writing = [asyncio.create_task(write(file, number)) for number in (1, 2, 2)]
        await asyncio.sleep(0)
    told = await asyncio.gather(*writing, return_exceptions=True)
    assert [type(one) for one in told] == [StoreUnavailable] * 3
    assert await numbers(file) == []
    assert await write(file, 2) == 1


async def test_write_that_was_given_up_before_its_turn_is_not_made(file: SqliteFile) -> None:
    async with Busy(file):
        first, second = asyncio.create_task(write(file, 1)), asyncio.create_task(write(file, 2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
    assert await second == 1
    assert await numbers(file) == [2]


async def test_locked_file_keeps_all_of_them_waiting_no_longer_than_said(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "state.db", [TABLE], timeout_s=0.3)
    assert await numbers(file) == []
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told = await asyncio.gather(*(write(file, number) for number in range(5)), return_exceptions=True)
    assert [type(one) for one in told] == [StoreUnavailable] * 5
    other.execute("ROLLBACK")
    other.close()
    assert await write(file, 7) == 1
    await file.close()
