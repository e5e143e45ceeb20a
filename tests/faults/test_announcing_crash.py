"""Announcers that are killed at every step, before a Discord that drops, repeats, delays and rate-limits."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from simulator import DiscordApi
from simulator.messages import Message
from simulator.reply import forever
from simulator.server import background
from spillway.adapters.sqlite_outbox import SqliteOutbox
from support.announced import assert_told_once, drafts
from support.mortal import Nursery, nursery

ENTRIES = 12
STEPS = 45
"""The calls that an announcer makes for two messages, of ten entries and of two, where nothing goes wrong."""
CHANGES = 4
"""What it asks of Discord then: two messages made, two filled."""
ROUNDS = 40


class KillingDiscord(DiscordApi):
    """Kills the announcer while its `at`-th change is under way: before it is done, or after."""

    def __init__(self, **options: Any):
        super().__init__(webhook=(1000, 1.0), everybody=(1000, 1.0), **options)
        self.late_s = 0.02
        self.at, self.done_first, self.victim = -1, False, 0

    async def _done(
        self, request: web.Request, act: Callable[[], Message], *, waits: bool = True
    ) -> web.StreamResponse:
        self.at -= 1
        if self.at == -1:
            if self.done_first:
                act()
            while not self.victim:
                await asyncio.sleep(0.001)
            os.kill(self.victim, signal.SIGKILL)
            await forever()
        return await super()._done(request, act, waits=waits)


@pytest.fixture(scope="module")
def announcers() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    async def filled() -> None:
        outbox = SqliteOutbox(tmp_path / "state.db")
        await outbox.add(drafts(ENTRIES))
        await outbox.close()

    asyncio.run(filled())
    return tmp_path / "state.db"


def troubled(discord: DiscordApi) -> None:
    """Every kind of trouble, now and then."""
    for kind in ("close", "reply_lost", "repeated", "late", "error"):
        discord.faults.add(kind, probability=0.08)  # type: ignore[arg-type]
    discord.faults.add("slow_first_byte", delay_s=0.02, probability=0.2)
    discord.faults.add("status", status=429, retry_after=0.02, probability=0.15)


def until_done(announcers: Nursery, state: Path, discord: DiscordApi) -> None:
    """One announcer after another, as a scheduler starts them, until nothing is left."""
    for _ in range(ROUNDS):
        announcers.start(state, discord.webhook_url)
        if announcers.end()["problem"] == "":
            break
    else:
        raise AssertionError("nothing comes to an end")
    # What Discord did late is done by now.
    time.sleep(discord.late_s * 2)
    assert_told_once(discord, ENTRIES)


def test_an_undisturbed_announcer_makes_so_many_steps(announcers: Nursery, state: Path) -> None:
    with background(discord := KillingDiscord()):
        announcers.start(state, discord.webhook_url)
        assert announcers.end() == {"killed": False, "problem": "", "steps": STEPS}
        assert_told_once(discord, ENTRIES)
        assert (len(discord.messages), -1 - discord.at) == (2, CHANGES)


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_at_any_step_everything_is_told_once(announcers: Nursery, state: Path, step: int) -> None:
    with background(discord := KillingDiscord(seed=step)):
        announcers.start(state, discord.webhook_url, die=step)
        assert announcers.end() == {"killed": True}
        troubled(discord)
        until_done(announcers, state, discord)


@pytest.mark.parametrize("done_first", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("change", range(CHANGES))
def test_killed_while_discord_is_at_it_everything_is_told_once(
    announcers: Nursery, state: Path, change: int, done_first: bool
) -> None:
    with background(discord := KillingDiscord()):
        discord.at, discord.done_first = change, done_first
        discord.victim = announcers.start(state, discord.webhook_url)
        assert announcers.end() == {"killed": True}
        until_done(announcers, state, discord)
        assert len(discord.messages) == 2 + (done_first and change in (0, 2))


@pytest.mark.parametrize("lives", [3, 5, 8])
def test_killed_again_and_again_everything_is_told_once(announcers: Nursery, state: Path, lives: int) -> None:
    """No announcer lives for more than so many steps, until they have come far."""
    with background(discord := KillingDiscord(seed=lives)):
        troubled(discord)
        for _ in range(12):
            announcers.start(state, discord.webhook_url, die=lives)
            announcers.end()
        until_done(announcers, state, discord)


def test_two_announcers_of_which_one_is_killed_tell_everything_once(state: Path) -> None:
    with nursery() as first, nursery() as second, background(discord := KillingDiscord(seed=1)):
        troubled(discord)
        for step in range(2, 26, 4):
            first.start(state, discord.webhook_url, die=step)
            second.start(state, discord.webhook_url)
            first.end()
            second.end()
        until_done(first, state, discord)
