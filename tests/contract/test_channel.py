"""Discord's webhook fulfils ports.announcements.Channel."""

import itertools
import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import DiscordApi
from simulator.messages import refused
from spillway.adapters.discord import DiscordWebhook, _embed
from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import Throttled
from spillway.domain.cards import Card, Notice
from spillway.errors import (
    BackendFailed,
    BrokenAnswer,
    MessageGone,
    Overflow,
    RequestRejected,
    SpillwayError,
    TooSlow,
    Unreachable,
)

There = tuple[DiscordApi, DiscordWebhook]
NOTICE = Notice("2 winning tickets", (Card("one", (("Orchestrator", "0x1"),)), Card("two", link="https://arbiscan.io")))


@pytest.fixture
async def there() -> AsyncIterator[There]:
    pool = HttpPool()
    async with DiscordApi("s3cret", webhook=(1000, 1.0)).serve() as api:
        yield api, DiscordWebhook(pool, api.webhook_url, try_s=0.3, call_s=1.0)
    await pool.aclose()


async def test_a_message_is_prepared_filled_and_discarded(there: There) -> None:
    api, channel = there
    message = await channel.prepare("Ticket redemptions")
    assert [(one.id, one.content, one.embeds) for one in api.channel] == [(message, "Ticket redemptions", [])]
    await channel.fill(message, NOTICE)
    assert (api.channel[0].content, [one["title"] for one in api.channel[0].embeds]) == (
        "2 winning tickets",
        ["one", "two"],
    )
    await channel.discard(message)
    await channel.discard(message)
    assert api.channel == []


async def test_filling_twice_is_filling_once(there: There) -> None:
    api, channel = there
    message = await channel.prepare("x")
    await channel.fill(message, NOTICE)
    before = api.channel[0].shown()
    await channel.fill(message, NOTICE)
    assert api.channel[0].shown() == before


async def test_a_webhook_of_a_thread_names_it_in_each_call() -> None:
    pool = HttpPool()
    async with DiscordApi().serve() as api:
        channel = DiscordWebhook(pool, f"{api.webhook_url}?thread_id=77")
        message = await channel.prepare("x")
        await channel.fill(message, NOTICE)
        await channel.discard(message)
        assert [entry.query.get("thread_id") for entry in api.requests] == ["77"] * 3
        assert api.requests[0].query["wait"] == "true"
    await pool.aclose()


@pytest.mark.parametrize("kind", ["status", "close", "reset", "cut", "reply_lost", "error", "late", "not_json", "hang"])
async def test_an_edit_is_repeated_until_it_is_answered(there: There, kind: Any) -> None:
    api, channel = there
    message = await channel.prepare("x")
    api.faults.add(kind, times=1)
    await channel.fill(message, NOTICE)
    assert (len(api.messages), len(api.channel[0].embeds)) == (1, 2)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("reply_lost", Unreachable), ("close", Unreachable), ("cut", BrokenAnswer), ("error", BackendFailed),
        ("late", Unreachable), ("not_json", BrokenAnswer), ("empty", BrokenAnswer), ("hang", TooSlow),
        ("clean_cut", BrokenAnswer), ("stall", TooSlow),
    ],
)  # fmt: skip
async def test_a_message_is_not_made_again_where_it_may_have_been(
    there: There, kind: Any, expected: type[Overflow]
) -> None:
    api, channel = there
    api.faults.add(kind)
    with pytest.raises(expected):
        await channel.prepare("x")
    assert sum(entry.method == "POST" for entry in api.requests) == 1


async def test_the_longer_of_the_two_waits_is_kept(there: There) -> None:
    api, channel = there
    api.faults.add("status", status=429, retry_after=0.25, times=2)
    message = await channel.prepare("x")
    times = [entry.at_s for entry in api.requests]
    assert [after - before >= 0.25 for before, after in itertools.pairwise(times)] == [True, True]
    assert [one.id for one in api.channel] == [message]


async def test_a_wait_that_is_too_long_is_told(there: There) -> None:
    api, channel = there
    api.faults.add("status", status=429, retry_after=30)
    with pytest.raises(Throttled) as caught:
        await channel.prepare("x")
    assert caught.value.retry_after_s == 30


async def test_a_limit_without_words_is_one_too(there: There) -> None:
    api, channel = there
    api.faults.add("status", status=429, body="error code: 1015", times=1)
    assert await channel.prepare("x")


async def test_a_message_that_was_taken_away_is_gone(there: There) -> None:
    _, channel = there
    with pytest.raises(MessageGone):
        await channel.fill("1", NOTICE)


@pytest.mark.parametrize(("state", "status"), [("deleted", 404), ("wrong token", 401)])
async def test_a_webhook_that_is_no_more_is_refused_at_once(there: There, state: str, status: int) -> None:
    api, channel = there
    api.deleted, api.token = state == "deleted", "other"
    for call in (channel.prepare("x"), channel.fill("1", NOTICE), channel.discard("1")):
        with pytest.raises(RequestRejected) as caught:
            await call
        assert caught.value.status == status
    assert len(api.requests) == 3


@pytest.mark.parametrize("kind", ["close", "reset", "cut", "error", "not_json", "hang"])
async def test_the_url_is_in_no_error_and_no_log(there: There, kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    api, channel = there
    caplog.set_level(logging.DEBUG)
    api.faults.add(kind)
    for call in (channel.prepare("x"), channel.fill("1", NOTICE)):
        with pytest.raises(SpillwayError) as caught:
            await call
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in caplog.text


async def test_no_words_of_a_stranger_ping_or_link(there: There) -> None:
    api, channel = there
    message = await channel.prepare("x")
    await channel.fill(message, Notice("n", (Card("t", (("Orchestrator", "@everyone [x](https://evil)"),)),)))
    assert api.channel[0].embeds[0]["fields"][0]["value"] == r"\@everyone \[x\](https\://evil)"
    assert all(entry.json["allowed_mentions"] == {"parse": []} for entry in api.requests)


TEXT = st.text(max_size=3000)
CARDS = st.builds(
    Card, title=TEXT.filter(bool), facts=st.lists(st.tuples(TEXT, TEXT), max_size=20).map(tuple), text=TEXT,
    footnote=TEXT, at=st.none() | st.integers(0, 4 * 10**9),
)  # fmt: skip


@given(cards=st.lists(CARDS, min_size=1, max_size=14), heading=TEXT)
def test_whatever_fits_is_taken_by_discord(cards: list[Card], heading: str) -> None:
    room = DiscordWebhook(HttpPool(), "https://discord.com/api/webhooks/1/x").room(cards)
    assert 1 <= room <= 10
    assert refused({"content": "x", "embeds": [_embed(card) for card in cards[:room]]}) is None
