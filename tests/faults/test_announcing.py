"""Announcing to a Discord that drops, repeats, delays and refuses: everything once, in order."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator import DiscordApi
from spillway.adapters.discord import DiscordWebhook
from spillway.adapters.firestore_outbox import FirestoreOutbox
from spillway.adapters.http import HttpPool
from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.sqlite_outbox import SqliteOutbox
from spillway.domain.announcements import PLACEHOLDER
from spillway.services.announcing import Announcing
from support.announced import assert_told_once, drafts, told

WIDE = (10_000, 1.0)


class There:
    """A channel, an outbox, and announcers between them."""

    def __init__(self, api: DiscordApi, pool: HttpPool):
        self.api, self.pool = api, pool
        self.outbox: Any = MemoryOutbox()
        self.now = 1_790_000_000.0

    def announcer(self, **changes: Any) -> Announcing:
        """One of them, with short patience."""
        channel = DiscordWebhook(self.pool, self.api.webhook_url, try_s=0.3, call_s=1.0)
        terms: dict[str, Any] = {"epoch": lambda: self.now, "claim_s": 0.05, "pause_s": 0.01, "within_s": 20.0}
        return Announcing(self.outbox, channel, **{**terms, **changes})

    async def until_done(self) -> int:
        """Rounds until nothing is left; gives their number."""
        for number in range(1, 60):
            if not (await self.announcer().round()).problem:
                return number
            self.now += 1.0
        raise AssertionError("nothing comes to an end")


@asynccontextmanager
async def running(count: int, **options: Any) -> AsyncIterator[There]:
    async with DiscordApi(**{"webhook": WIDE, "everybody": WIDE, **options}).serve() as api, HttpPool() as pool:
        there = There(api, pool)
        await there.outbox.add(drafts(count))
        yield there


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
async def test_ten_go_into_a_message(count: int, sizes: list[int]) -> None:
    async with running(count) as there:
        report = await there.announcer().round()
        assert (len(report.announced), report.problem) == (count, "")
        assert [len(message.embeds) for message in there.api.channel] == sizes
        assert_told_once(there.api, count)


async def test_an_entry_is_marked_with_its_message() -> None:
    async with running(12) as there:
        await there.announcer().round()
        found = [await there.outbox.find(draft.id) for draft in drafts(12)]
        first, second = (message.id for message in there.api.channel)
        assert [entry.state["message"] for entry in found if entry] == [first] * 10 + [second] * 2


async def test_what_was_announced_is_not_looked_at_again() -> None:
    async with running(3) as there:
        await there.announcer().round()
        calls = len(there.api.requests)
        await there.announcer().round()
        await there.outbox.add(drafts(2, first=4))
        await there.announcer().round()
        assert len(there.api.requests) == calls + 2
        assert_told_once(there.api, 5)


async def test_a_message_without_an_id_announces_nothing() -> None:
    async with running(3) as there:
        there.api.faults.add("reply_lost", times=2, method="POST")
        assert await there.until_done() == 1
        assert [(message.content, len(message.embeds)) for message in there.api.channel] == [
            (PLACEHOLDER, 0), (PLACEHOLDER, 0), ("3 winning tickets redeemed: 0.003000000000000006 ETH", 3),
        ]  # fmt: skip


@pytest.mark.parametrize("kind", ["close", "reply_lost", "repeated", "late", "error", "cut", "hang", "empty", "status"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_fault_changes_nothing_of_what_is_told(kind: Any, method: str) -> None:
    async with running(12) as there:
        there.api.late_s = 0.05
        there.api.faults.add(kind, method=method, times=2)
        await there.until_done()
        await asyncio.sleep(0.1)
        assert_told_once(there.api, 12)


@pytest.mark.parametrize("seed", range(4))
async def test_all_faults_together_change_nothing_of_what_is_told(seed: int) -> None:
    async with running(25, seed=seed) as there:
        there.api.late_s = 0.05
        for kind in ("close", "reply_lost", "repeated", "late", "error", "cut", "status"):
            there.api.faults.add(kind, probability=0.12)  # type: ignore[arg-type]
        there.api.faults.add("status", status=429, retry_after=0.02, probability=0.2)
        await there.until_done()
        await asyncio.sleep(0.1)
        assert_told_once(there.api, 25)


async def test_the_limits_are_kept() -> None:
    async with running(40, webhook=(2, 0.3)) as there:
        await there.until_done()
        assert_told_once(there.api, 40)
        assert there.api.limited <= 8


@pytest.mark.parametrize("announcers", [2, 5])
async def test_several_announcers_tell_everything_once(announcers: int) -> None:
    async with running(30) as there:
        reports = await asyncio.gather(*(there.announcer().round() for _ in range(announcers)))
        assert [report.problem for report in reports] == [""] * announcers
        assert_told_once(there.api, 30)
        assert all(message.embeds for message in there.api.channel)


@pytest.mark.parametrize("store", ["sqlite", "firestore"])
async def test_announcers_of_several_instances_share_the_store(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with running(25) as there:
        if store == "firestore":
            request.getfixturevalue("firestore_host")
            project = f"test-{uuid.uuid4().hex[:12]}"
            outboxes: list[Any] = [FirestoreOutbox(project, timeout_s=20.0) for _ in range(3)]
        else:
            outboxes = [SqliteOutbox(tmp_path / "state.db") for _ in range(3)]
        await outboxes[0].add(drafts(25))
        there.api.faults.add("reply_lost", times=2)
        there.api.faults.add("slow_first_byte", delay_s=0.1, probability=0.3)
        rounds = []
        for outbox in outboxes:
            there.outbox = outbox
            rounds.append(there.announcer(within_s=60.0, epoch=time.time).round())
        reports = await asyncio.gather(*rounds)
        assert "" in [report.problem for report in reports]
        assert_told_once(there.api, 25)
        assert await outboxes[0].pending(1) == []
        for outbox in outboxes:
            await outbox.close()


async def test_a_slow_announcer_whose_claim_ran_out_tells_nothing_twice() -> None:
    async with running(5) as there:
        there.api.faults.add("slow_first_byte", delay_s=0.2, times=1, method="POST")
        slow = asyncio.create_task(there.announcer().round())
        await asyncio.sleep(0.05)
        there.now += 10.0
        await there.announcer().round()
        await slow
        assert_told_once(there.api, 5)
        assert len(there.api.channel) == 1


async def test_a_message_that_was_taken_away_before_it_was_filled_is_made_again() -> None:
    async with running(3) as there:
        there.api.faults.add("status", method="PATCH", status=503)
        await there.announcer(within_s=1.0).round()
        there.api.channel[0].deleted = True
        there.api.faults.clear()
        there.now += 10.0
        await there.until_done()
        assert_told_once(there.api, 3)


async def test_what_discord_finds_malformed_is_told_without_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    async with running(3) as there:
        there.api.faults.add("status", method="PATCH", status=400, times=1)
        assert await there.until_done() == 1
        assert_told_once(there.api, 3)
        assert [("fields" in embed, "url" in embed) for embed in there.api.channel[0].embeds] == [(False, True)] * 3
        assert "told without its facts" in caplog.text


async def test_a_deleted_webhook_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with running(3) as there:
        there.api.deleted = True
        report = await there.announcer().round()
        assert "no such webhook" in report.problem
        assert report.problem in caplog.text
        assert len(there.api.requests) == 1
        there.api.deleted, there.now = False, there.now + 10.0
        await there.until_done()
        assert_told_once(there.api, 3)


async def test_a_discord_that_asks_for_much_patience_is_left_alone() -> None:
    async with running(3) as there:
        there.api.faults.add("status", status=429, retry_after=60)
        report = await there.announcer().round()
        assert "limits the rate" in report.problem
        assert len(there.api.requests) == 1


async def test_a_claim_by_a_wrong_clock_does_not_hold_for_ever() -> None:
    async with running(3) as there:
        [head, *_] = await there.outbox.pending(1)
        await there.outbox.mark(head.id, {"claim": "other", "until": there.now + 1e6, "tried": 1}, head.version)
        await there.announcer().round()
        assert told(there.api.channel) == [1, 2, 3]
