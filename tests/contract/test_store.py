"""What every store of shared state holds to."""

import asyncio
import json
import random
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as google_errors
from google.auth import exceptions as auth_errors

from spillway.adapters import firestore_database, sqlite_file
from spillway.adapters.firestore_store import FirestoreStore
from spillway.adapters.memory_store import MemoryStore
from spillway.adapters.sqlite_store import SqliteStore
from spillway.errors import Conflict, StoreUnavailable
from spillway.ports.store import Store

BODY: dict[str, Any] = {
    "text": "größer 🎈 \x00",
    "": None,
    "__name__": [[1, 2], [], {}],
    "a.b": {"`": -1.5e-9, "yes": True},
    "wei": 2**70,
    "exact": 0.1 + 0.2,
}
KEYS = [
    "text-to-image black-forest-labs/FLUX.1-dev", "a/b", "a%2Fb", ".", "..", "__name__", "", " ", "%", "%%", "ü/\x00\n",
    "\ud800", "x" * 2000, "x" * 2001, "/" * 1500,
]  # fmt: skip


@pytest.fixture(params=["memory", "sqlite", "firestore"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "sqlite":
        made = SqliteStore(tmp_path / "deep" / "state.db")
    else:
        made = firestore(request)
    yield made
    await made.close()


def firestore(request: pytest.FixtureRequest) -> FirestoreStore:
    """A database of its own in the emulator."""
    address = request.getfixturevalue("firestore_emulator")
    request.getfixturevalue("monkeypatch").setenv("FIRESTORE_EMULATOR_HOST", address)
    # The first call of a Java process that has just started is slow.
    return FirestoreStore(f"test-{uuid.uuid4().hex[:12]}", timeout_s=20.0)


async def test_unknown_document_is_none(store: Store) -> None:
    assert await store.read("folder", "nobody") is None
    assert await store.list("folder") == []


async def test_written_document_is_read_as_it_was(store: Store) -> None:
    before = time.time()
    written = await store.write("folder", "key", BODY)
    assert (written.key, written.body) == ("key", BODY)
    assert await store.read("folder", "key") == written
    assert before - 1 <= written.updated <= time.time() + 1


async def test_keys_of_any_characters_are_told_apart(store: Store) -> None:
    for place, key in enumerate(KEYS):
        await store.write("folder", key, {"place": place})
    for place, key in enumerate(KEYS):
        found = await store.read("folder", key)
        assert found is not None
        assert (found.key, found.body) == (key, {"place": place})
    assert sorted(document.key for document in await store.list("folder")) == sorted(KEYS)


@pytest.mark.parametrize("text", ["", "[]", "7", "null", '{"key": 1}', "[[1], {}]", '["key", 7]', "[" * 5000])
async def test_what_is_no_document_is_in_no_list_and_can_be_replaced(store: Store, text: str) -> None:
    await store.write("folder", "key", {"n": 1})
    await store.write("folder", "other", {"n": 2})
    await planted(store, "folder", "key", text)
    assert [document.body for document in await store.list("folder")] == [{"n": 2}]
    assert [document.key for document in await store.unchanged("folder", time.time() + 60)] == ["other"]
    found = await store.read("folder", "key")
    assert found is not None
    assert (found.key, found.body) == ("key", {})
    await store.replace("folder", "key", {"n": 3}, found.version)
    assert len(await store.list("folder")) == 2


async def planted(store: Store, folder: str, key: str, text: str) -> None:
    """Write a text over a document behind the store's back."""
    if isinstance(store, MemoryStore):
        store._kept[folder][key] = (text, "version", 1.0)
    elif isinstance(store, SqliteStore):
        statement = "UPDATE documents SET text = ? WHERE folder = ? AND name = ?"
        await store._file.run(lambda db: db.execute(statement, (text, folder, key)))
    elif isinstance(store, FirestoreStore):
        await store._place(folder, key).set({"text": text, "stamp": "0"})


async def test_folders_are_apart(store: Store) -> None:
    await store.write("one", "key", {"n": 1})
    await store.write("two", "key", {"n": 2})
    assert [document.body for document in await store.list("two")] == [{"n": 2}]


async def test_last_writer_wins(store: Store) -> None:
    await store.write("folder", "key", {"n": 1, "old": True})
    await store.write("folder", "key", {"n": 2})
    assert [document.body for document in await store.list("folder")] == [{"n": 2}]


async def test_every_write_is_a_new_version(store: Store) -> None:
    """Or a write that was given up on could still come through after one that changed nothing."""
    first = await store.write("folder", "key", BODY)
    second = await store.write("folder", "key", BODY)
    third = await store.replace("folder", "key", BODY, second.version)
    assert len({first.version, second.version, third.version}) == 3
    for stale in (first, second):
        with pytest.raises(Conflict):
            await store.replace("folder", "key", {}, stale.version)


async def test_version_is_never_used_again_after_a_deletion(store: Store) -> None:
    first = await store.replace("folder", "key", BODY, None)
    await store.delete("folder", "key")
    await store.replace("folder", "key", BODY, None)
    with pytest.raises(Conflict):
        await store.replace("folder", "key", {}, first.version)


async def test_only_the_version_that_was_read_is_replaced(store: Store) -> None:
    first = await store.replace("folder", "key", {"n": 1}, None)
    second = await store.replace("folder", "key", {"n": 2}, first.version)
    with pytest.raises(Conflict):
        await store.replace("folder", "key", {"n": 3}, first.version)
    assert await store.read("folder", "key") == second


async def test_what_must_not_exist_conflicts_with_what_does(store: Store) -> None:
    written = await store.write("folder", "key", {"n": 1})
    with pytest.raises(Conflict):
        await store.replace("folder", "key", {"n": 2}, None)
    await store.delete("folder", "key")
    with pytest.raises(Conflict):
        await store.replace("folder", "key", {"n": 2}, written.version)
    assert await store.read("folder", "key") is None


async def test_documents_not_written_for_long_are_found_the_oldest_first(store: Store) -> None:
    for key in ("a", "b", "c", "d"):
        await store.write("folder", key, {"key": key})
        await asyncio.sleep(0.02)
    await store.write("folder", "a", {"key": "a"})
    await asyncio.sleep(0.02)
    now = time.time()
    await asyncio.sleep(0.02)
    await store.write("folder", "c", {"key": "c"})
    assert [document.key for document in await store.unchanged("folder", now)] == ["b", "d", "a"]
    assert [document.key for document in await store.unchanged("folder", now, 2)] == ["b", "d"]
    assert [document.body for document in await store.unchanged("folder", now, 1)] == [{"key": "b"}]
    assert await store.unchanged("folder", now - 60) == []
    assert await store.unchanged("other", now) == []


async def test_deleting_twice_is_harmless(store: Store) -> None:
    await store.write("folder", "key", {})
    await store.delete("folder", "key")
    await store.delete("folder", "key")
    assert await store.list("folder") == []


@pytest.mark.parametrize("body", [{"n": float("nan")}, {"n": float("inf")}, {"n": object()}, {"n": "x" * 1_000_000}])
async def test_what_some_store_could_not_hold_is_refused_by_all(store: Store, body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"document|JSON"):
        await store.write("folder", "key", body)
    with pytest.raises(ValueError, match=r"document|JSON"):
        await store.replace("folder", "key", body, None)


async def add(store: Store, times: int) -> None:
    """Add one so many times, by compare-and-set."""
    for _ in range(times):
        while True:
            found = await store.read("folder", "sum")
            try:
                version = found.version if found else None
                await store.replace("folder", "sum", {"n": found.body["n"] + 1 if found else 1}, version)
                break
            except Conflict:
                await asyncio.sleep(random.uniform(0, 0.02))


async def test_no_change_is_lost_between_many(store: Store) -> None:
    await asyncio.gather(*(add(store, 5) for _ in range(8)))
    found = await store.read("folder", "sum")
    assert found is not None
    assert found.body == {"n": 40}


async def test_one_of_many_creates(store: Store) -> None:
    made = await asyncio.gather(
        *(store.replace("folder", "key", {"n": n}, None) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in made) == 19


ADDER = """
import asyncio, sys
from pathlib import Path
from contract.test_store import add
from spillway.adapters.sqlite_store import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]), timeout_s=20)
    await add(store, 100)
    await store.close()

asyncio.run(main())
"""


async def test_two_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.db"
    tests = Path(__file__).parents[1]
    adders = [subprocess.Popen([sys.executable, "-c", ADDER, str(path)], cwd=tests) for _ in range(2)]
    assert [await asyncio.to_thread(adder.wait, 60) for adder in adders] == [0, 0]
    store = SqliteStore(path)
    found = await store.read("folder", "sum")
    await store.close()
    assert found is not None
    assert found.body == {"n": 200}


async def test_file_outlives_its_process(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "state.db")
    written = await first.write("folder", "key", BODY)
    await first.close()
    second = SqliteStore(tmp_path / "state.db")
    assert await second.read("folder", "key") == written
    await second.close()


async def test_locked_file_is_given_up_in_time(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db", timeout_s=0.2)
    await store.write("folder", "key", {})
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await store.write("folder", "key", {"n": 1})
    assert time.monotonic() - began < 1
    assert await store.read("folder", "key") is not None
    other.execute("ROLLBACK")
    other.close()
    assert (await store.write("folder", "key", {"n": 2})).body == {"n": 2}
    await store.close()


async def test_file_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db")
    other.execute("PRAGMA user_version = 99")
    other.close()
    store = SqliteStore(tmp_path / "state.db")
    with pytest.raises(StoreUnavailable, match="schema 99"):
        await store.read("folder", "key")
    await store.close()


@pytest.mark.parametrize("content", [b"this is no database at all, but some text that is long enough" * 99, None])
async def test_file_that_is_no_database_is_unavailable(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "state.db"
    path.mkdir() if content is None else path.write_bytes(content)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable):
        await store.read("folder", "key")
    await store.close()


@pytest.mark.parametrize("listening", [True, False])
async def test_firestore_that_does_not_answer_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, listening: bool
) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{server.getsockname()[1]}")
    if not listening:
        server.close()
    store = FirestoreStore("test", timeout_s=0.3)
    calls = [
        store.read("folder", "key"), store.list("folder"), store.write("folder", "key", {}),
        store.replace("folder", "key", {}, None), store.delete("folder", "key"),
    ]  # fmt: skip
    for call in calls:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await call
        assert time.monotonic() - began < 2
    await store.close()
    server.close()


def subclasses(root: type[BaseException]) -> Iterator[type[BaseException]]:
    yield root
    for error in root.__subclasses__():
        yield from subclasses(error)


@pytest.mark.parametrize("error", sorted({*subclasses(sqlite3.Error), OSError, TimeoutError}, key=str))
def test_every_error_of_sqlite_is_translated(error: type[BaseException]) -> None:
    with pytest.raises(StoreUnavailable), sqlite_file.translated():
        raise error.__new__(error)


GOOGLES = {*subclasses(google_errors.GoogleAPIError), *subclasses(auth_errors.GoogleAuthError)}


@pytest.mark.parametrize("error", sorted({*GOOGLES, grpc.RpcError, OSError, TimeoutError}, key=str))
def test_every_error_of_firestore_is_translated(error: type[BaseException]) -> None:
    with pytest.raises(StoreUnavailable), firestore_database.translated():
        raise error.__new__(error)


async def test_stored_texts_are_one_json_list(tmp_path: Path) -> None:
    """What a person finds who looks into the file."""
    store = SqliteStore(tmp_path / "state.db")
    await store.write("folder", "a/b", {"n": 1})
    await store.close()
    found = sqlite3.connect(tmp_path / "state.db")
    assert [(name, json.loads(text)) for name, text in found.execute("SELECT name, text FROM documents")] == [
        ("a%2Fb", ["a/b", {"n": 1}])
    ]
    found.close()
