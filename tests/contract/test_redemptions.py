"""What every store of redemptions holds to."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from spillway.adapters.firestore_outbox import FirestoreOutbox
from spillway.adapters.firestore_redemptions import FirestoreRedemptions
from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.memory_redemptions import MemoryRedemptions
from spillway.adapters.sqlite_outbox import SqliteOutbox
from spillway.adapters.sqlite_redemptions import SqliteRedemptions
from spillway.domain.redemptions import LATEST, Decorations, Redemption
from spillway.domain.trail import Trail
from spillway.errors import Conflict
from spillway.ports.outbox import Draft, Outbox
from spillway.ports.redemptions import MOST, Cursor, Page, Redemptions
from support.redemptions import BLOCK_S, CHAIN, GENESIS_S, block_hash, finding, made

START = Cursor(Trail(1))


@dataclass(frozen=True, slots=True)
class Kept:
    """A store and the outbox that its announcements go to."""

    redemptions: Redemptions
    outbox: Outbox

    async def announced(self) -> list[str]:
        """The ids of what is to be announced."""
        return [entry.id for entry in await self.outbox.pending(1000)]

    async def page(self, after: str | None = None, limit: int = 1000, *, removed: bool = False) -> Page:
        """Of all times."""
        return await self.redemptions.page(since=0, before=LATEST, removed=removed, after=after, limit=limit)


@pytest.fixture(params=["memory", "sqlite", "firestore"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    if request.param == "memory":
        outbox = MemoryOutbox()
        made_ = Kept(MemoryRedemptions(outbox), outbox)
    elif request.param == "sqlite":
        path = tmp_path / "state.db"
        made_ = Kept(SqliteRedemptions(path), SqliteOutbox(path))
    else:
        monkeypatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_emulator"))
        project = f"test-{uuid.uuid4().hex[:12]}"
        made_ = Kept(FirestoreRedemptions(project, timeout_s=20.0), FirestoreOutbox(project, timeout_s=20.0))
    yield made_
    await made_.redemptions.close()
    await made_.outbox.close()


async def test_nothing_is_known_at_first(kept: Kept) -> None:
    assert await kept.redemptions.cursor("scan") is None
    assert await kept.redemptions.known([made().key]) == {}
    assert await kept.redemptions.within(CHAIN, 0, 10**9) == []
    assert await kept.page() == Page([], None)


async def test_redemption_announcement_and_cursor_are_written_as_one(kept: Kept) -> None:
    one = made(decorations=Decorations("orch.example", 21_000, "3000.5"), amount_wei=2**255)
    cursor = await kept.redemptions.write("scan", Cursor(Trail(1).passed(1, block_hash(1))), [finding(one)])
    assert await kept.redemptions.cursor("scan") == cursor
    assert cursor.trail == Trail(1, ((1, block_hash(1)),))
    assert await kept.redemptions.known([one.key]) == {one.key: one}
    assert await kept.announced() == [one.key]
    assert [entry.body for entry in await kept.outbox.pending(1)] == [one.body()]


async def test_readings_have_cursors_of_their_own(kept: Kept) -> None:
    await kept.redemptions.write("scan", START, [])
    await kept.redemptions.write("backfill", replace(START, trail=Trail(7)), [])
    found = await kept.redemptions.cursor("backfill")
    assert found is not None
    assert found.trail == Trail(7)


async def test_stale_cursor_writes_nothing(kept: Kept) -> None:
    await kept.redemptions.write("scan", START, [])
    for stale in (START, replace(START, version="another")):
        with pytest.raises(Conflict):
            await kept.redemptions.write("scan", stale, [finding(made())])
    assert (await kept.announced(), await kept.page()) == ([], Page([], None))


async def test_one_of_many_moves_the_same_cursor(kept: Kept) -> None:
    writes = (kept.redemptions.write("scan", START, [finding(made(n))]) for n in range(4))
    ended = await asyncio.gather(*writes, return_exceptions=True)
    assert sorted(isinstance(one, Conflict) for one in ended) == [False, True, True, True]
    assert len(await kept.announced()) == 1


@pytest.mark.parametrize("over", [None, 7])
async def test_one_redemption_that_is_not_as_expected_keeps_all_from_being_written(
    kept: Kept, over: int | None
) -> None:
    cursor = await kept.redemptions.write("scan", START, [finding(made(1))])
    with pytest.raises(Conflict):
        await kept.redemptions.write("scan", cursor, [finding(made(2)), finding(made(1), over)])
    assert await kept.redemptions.known([made(2).key]) == {}
    assert await kept.announced() == [made(1).key]
    assert await kept.redemptions.cursor("scan") == cursor


async def test_unknown_redemption_is_not_corrected(kept: Kept) -> None:
    with pytest.raises(Conflict):
        await kept.redemptions.write("scan", START, [finding(made(), over=0)])
    assert await kept.redemptions.cursor("scan") is None


async def test_correction_replaces_what_it_was_made_over(kept: Kept) -> None:
    one = made(5)
    cursor = await kept.redemptions.write("scan", START, [finding(one)])
    moved = one.changed(block_number=6, timestamp=one.timestamp + BLOCK_S, status="corrected")
    await kept.redemptions.write("scan", cursor, [replace(finding(moved, 0), draft=Draft("c", "correction", {}))])
    assert await kept.redemptions.within(CHAIN, 5, 5) == []
    assert await kept.redemptions.within(CHAIN, 6, 6) == [moved]
    assert (await kept.page()).redemptions == [moved]
    assert await kept.announced() == [one.key, "c"]


async def test_removed_redemption_is_shown_to_who_asks_for_it(kept: Kept) -> None:
    one = made(5)
    gone = one.changed(status="removed")
    cursor = await kept.redemptions.write("scan", START, [finding(one), finding(made(4))])
    await kept.redemptions.write("scan", cursor, [finding(gone, 0, told=False)])
    assert (await kept.page()).redemptions == [made(4)]
    assert (await kept.page(removed=True)).redemptions == [gone, made(4)]
    assert await kept.redemptions.within(CHAIN, 1, 9) == [made(4), gone]


async def test_pages_show_each_redemption_once_the_newest_first(kept: Kept) -> None:
    all_ = [made(block, index) for block in (3, 20, 1) for index in (2, 11, 100)]
    await kept.redemptions.write("scan", START, list(map(finding, all_)))
    shown: list[Redemption] = []
    after = None
    for _ in range(5):
        page = await kept.page(after, limit=2)
        shown += page.redemptions
        after = page.after
    assert shown == sorted(all_, key=lambda one: (-one.block_number, -one.log_index))
    assert after is None


async def test_pages_are_of_the_time_asked_for(kept: Kept) -> None:
    await kept.redemptions.write("scan", START, [finding(made(n)) for n in range(5)])
    page = await kept.redemptions.page(
        since=GENESIS_S + BLOCK_S, before=GENESIS_S + 3 * BLOCK_S, removed=False, after=None, limit=10
    )
    assert page == Page([made(2), made(1)], None)


@pytest.mark.parametrize("after", ["", "nonsense", "9" * 100])
async def test_cursor_that_was_never_given_out_is_refused(kept: Kept, after: str) -> None:
    with pytest.raises(ValueError, match="not given out"):
        await kept.page(after)


async def test_as_many_as_allowed_are_written_and_known_at_once(kept: Kept) -> None:
    all_ = [made(block, 1) for block in range(MOST)]
    await kept.redemptions.write("scan", START, list(map(finding, all_)))
    assert await kept.redemptions.known([one.key for one in all_]) == {one.key: one for one in all_}
    assert await kept.announced() == [one.key for one in all_]


async def test_other_chains_are_others(kept: Kept) -> None:
    other = made(chain_id=1)
    await kept.redemptions.write("scan", START, [finding(made()), finding(other)])
    assert await kept.redemptions.within(1, 0, 100) == [other]
    assert len((await kept.page()).redemptions) == 2
