"""What every outbox holds to."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from spillway.adapters.firestore_outbox import FirestoreOutbox
from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.sqlite_outbox import SqliteOutbox
from spillway.errors import Conflict
from spillway.ports.outbox import Draft, Outbox

BODY = {"amount_wei": str(10**30), "none": None, "text": "größer 🎈"}


@pytest.fixture(params=["memory", "sqlite", "firestore"])
async def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Outbox]:
    made: Outbox
    if request.param == "memory":
        made = MemoryOutbox()
    elif request.param == "sqlite":
        made = SqliteOutbox(tmp_path / "deep" / "state.db")
    else:
        monkeypatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_emulator"))
        made = FirestoreOutbox(f"test-{uuid.uuid4().hex[:12]}", timeout_s=20.0)
    yield made
    await made.close()


def drafts(*names: str) -> list[Draft]:
    return [Draft(name, "redemption", BODY) for name in names]


async def waiting(outbox: Outbox, limit: int = 100) -> list[str]:
    return [entry.id for entry in await outbox.pending(limit)]


async def test_empty_outbox_has_nothing(outbox: Outbox) -> None:
    assert (await outbox.pending(10), await outbox.find("nobody")) == ([], None)
    await outbox.done("nobody")


async def test_entries_wait_in_the_order_in_which_they_were_added(outbox: Outbox) -> None:
    await outbox.add(drafts("b", "a"))
    await outbox.add(drafts("d/e", "c"))
    entries = await outbox.pending(3)
    assert [(entry.position, entry.id) for entry in entries] == [(1, "b"), (2, "a"), (3, "d/e")]
    assert (entries[0].kind, entries[0].body, entries[0].state, entries[0].done_at) == ("redemption", BODY, {}, None)


async def test_same_announcement_is_added_once(outbox: Outbox) -> None:
    assert await outbox.add(drafts("a", "b", "a")) == 2
    await outbox.done("a")
    assert await outbox.add([replace(one, body={}) for one in drafts("a", "b", "c")]) == 1
    assert await waiting(outbox) == ["b", "c"]
    [kept, _] = await outbox.pending(2)
    assert kept.body == BODY


async def test_many_who_add_at_once_get_positions_of_their_own(outbox: Outbox) -> None:
    await asyncio.gather(*(outbox.add(drafts(f"{who}-1", f"{who}-2")) for who in range(3)))
    entries = await outbox.pending(100)
    assert sorted(entry.position for entry in entries) == list(range(1, 7))
    assert all(f"{who}-1" in [entry.id for entry in entries] for who in range(3))


async def test_what_is_done_is_kept_with_its_last_state(outbox: Outbox) -> None:
    await outbox.add(drafts("a", "b"))
    [entry, _] = await outbox.pending(2)
    marked = await outbox.mark("a", {"message": "123"}, entry.version)
    await outbox.done("a")
    await outbox.done("a")
    found = await outbox.find("a")
    assert found is not None
    assert (found.state, found.position, found.body) == ({"message": "123"}, 1, BODY)
    assert found.done_at is not None
    assert marked.version != entry.version
    assert await waiting(outbox) == ["b"]


async def test_only_the_version_that_was_read_is_marked(outbox: Outbox) -> None:
    await outbox.add(drafts("a"))
    [entry] = await outbox.pending(1)
    marked = await outbox.mark("a", {"n": 1}, entry.version)
    with pytest.raises(Conflict):
        await outbox.mark("a", {"n": 2}, entry.version)
    assert await outbox.find("a") == marked
    again = await outbox.mark("a", {"n": 1}, marked.version)
    assert again.version != marked.version


async def test_what_is_done_or_unknown_is_not_marked(outbox: Outbox) -> None:
    await outbox.add(drafts("a"))
    [entry] = await outbox.pending(1)
    await outbox.done("a")
    for name in ("a", "nobody"):
        with pytest.raises(Conflict):
            await outbox.mark(name, {}, entry.version)


async def test_one_of_many_marks_the_same_version(outbox: Outbox) -> None:
    await outbox.add(drafts("a"))
    [entry] = await outbox.pending(1)
    marks = (outbox.mark("a", {"n": n}, entry.version) for n in range(4))
    ended = await asyncio.gather(*marks, return_exceptions=True)
    assert sorted(type(one).__name__ in ("Conflict", "Meanwhile") for one in ended) == [False, True, True, True]
