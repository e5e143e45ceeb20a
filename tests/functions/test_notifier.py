"""The function `notifier`, started as it is deployed, before a Discord."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator import DiscordApi
from simulator.server import background
from spillway.adapters.pubsub_bell import PubSubBell
from spillway.adapters.sqlite_outbox import SqliteOutbox
from support.announced import assert_told_once, drafts
from support.chain import Won, anvil
from support.functions import imported, started
from support.google import ACCOUNT, AUDIENCE, Google
from support.topics import Topics
from support.waiting import eventually

PUSH = {
    "subscription": "projects/p/subscriptions/s",
    "message": {"messageId": "1", "data": ""},
}


@pytest.fixture
def discord() -> Iterator[DiscordApi]:
    with background(api := DiscordApi()):
        yield api


@pytest.fixture
def settings(tmp_path: Path, discord: DiscordApi) -> dict[str, str]:
    return {
        "SPILLWAY_STATE": f"sqlite:///{tmp_path / 'state.db'}",
        "SPILLWAY_DISCORD_WEBHOOK_URL": discord.webhook_url,
    }


async def add(path: Path, count: int, first: int = 1) -> None:
    outbox = SqliteOutbox(path / "state.db")
    await outbox.add(drafts(count, first))
    await outbox.close()


def test_a_push_announces_what_waits(settings: dict[str, str], discord: DiscordApi, tmp_path: Path) -> None:
    asyncio.run(add(tmp_path, 12))
    with started("notifier", settings) as there:
        first, second = (httpx.post(there.url, json=PUSH, timeout=60) for _ in range(2))
        assert (first.status_code, first.json()["announced"], second.json()["announced"]) == (200, 12, 0)
        assert_told_once(discord, 12)
        discord.deleted = True
        asyncio.run(add(tmp_path, 1, 13))
        left = httpx.post(there.url, json=PUSH, timeout=60)
    assert (left.status_code, "no such webhook" in left.json()["problem"]) == (503, True)


def test_only_googles_token_lets_a_push_in(settings: dict[str, str], discord: DiscordApi, tmp_path: Path) -> None:
    asyncio.run(add(tmp_path, 1))
    google = Google()
    with background(google):
        more = {
            "SPILLWAY_PUSH_AUDIENCE": AUDIENCE,
            "SPILLWAY_PUSH_ACCOUNT": ACCOUNT,
            "SPILLWAY_PUSH_CERTS_URL": google.certs_url,
        }
        with started("notifier", {**settings, **more}) as there:
            statuses = [
                httpx.post(there.url, json=PUSH, headers=headers, timeout=60).status_code
                for headers in (
                    {},
                    {"authorization": "Bearer nonsense"},
                    {"authorization": f"Bearer {google.token(aud='https://elsewhere')}"},
                    {"authorization": f"Bearer {google.token(email='other@example.com')}"},
                )
            ]
            assert (statuses, discord.messages) == ([401, 401, 401, 403], [])
            true = {"authorization": f"Bearer {google.token()}"}
            assert httpx.post(there.url, json=PUSH, headers=true, timeout=60).status_code == 200
    assert_told_once(discord, 1)


async def test_the_bell_rings_through_pubsub(
    pubsub_host: str, settings: dict[str, str], discord: DiscordApi, tmp_path: Path
) -> None:
    await add(tmp_path, 3)
    with started("notifier", settings) as there:
        async with Topics(pubsub_host) as topics:
            await topics.make("spillway-announcements", push_to=there.url)
            bell = PubSubBell(topics.project, "spillway-announcements", timeout_s=20)
            await bell.ring()
            await bell.close()
            await eventually(lambda: discord.channel and discord.channel[-1].embeds)
    assert_told_once(discord, 3)


async def test_from_the_chain_to_discord_as_it_is_deployed(
    pubsub_host: str, settings: dict[str, str], discord: DiscordApi, tmp_path: Path
) -> None:
    """The clock calls `redemptions`, which finds a ticket and rings; Pub/Sub calls `notifier`, which announces it."""
    with anvil() as node, started("notifier", settings) as notifier:
        sent = node.redeem(Won())
        async with Topics(pubsub_host) as topics:
            await topics.make("spillway-announcements", push_to=notifier.url)
            queue = {"SPILLWAY_QUEUE": f"pubsub://{topics.project}", "PUBSUB_EMULATOR_HOST": pubsub_host}
            with started("redemptions", {**node.settings(tmp_path / "state.db"), **queue}) as redemptions:
                assert httpx.post(redemptions.url, timeout=60).json()["problems"] == []

                def announced() -> bool:
                    httpx.post(redemptions.url, timeout=60)
                    return any(sent in str(message.embeds) for message in discord.channel)

                await eventually(announced, every_s=0.2)
    assert sum(sent in str(message.embeds) for message in discord.messages) == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SPILLWAY_DISCORD_WEBHOOK_URL", "https://example.com/hook", "must be a webhook's URL"),
        ("SPILLWAY_DISCORD_WEBHOOK_URL", "discord.com/api/webhooks/1/s3cret", "must be an http:// or https:// URL"),
        ("SPILLWAY_STATE", "memory://", "SPILLWAY_STATE: memory:// holds nothing"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(
    settings: dict[str, str], name: str, value: str, says: str
) -> None:
    ran = imported("notifier", {**settings, name: value})
    assert ran.returncode == 1
    assert says in ran.stderr.splitlines()[-1]
    assert "s3cret" not in ran.stderr
