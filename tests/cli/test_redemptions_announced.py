"""`spillway redemptions scan` and `spillway serve`, from a real node to a Discord."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator import DiscordApi
from simulator.server import background
from support.chain import ETH, GATEWAY, Anvil, Won, anvil
from support.front_door import command
from support.processes import spillway
from support.waiting import until


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def discord() -> Iterator[DiscordApi]:
    with background(api := DiscordApi()):
        yield api


def scan(settings: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return redemptions(settings, "scan", *args)


def redemptions(settings: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return spillway("redemptions", *args, **settings)


def hashes(discord: DiscordApi) -> list[str]:
    embeds = [embed for message in discord.channel for embed in message.embeds]
    return [embed["url"].rpartition("/")[2] for embed in embeds if "url" in embed]


def test_a_scan_ends_with_everything_announced(node: Anvil, discord: DiscordApi, tmp_path: Path) -> None:
    sent = [node.redeem(*[Won()] * 2) for _ in range(6)]
    settings = node.settings(tmp_path / "state.db", SPILLWAY_DISCORD_WEBHOOK_URL=discord.webhook_url)
    first, second = scan(settings, "--json"), scan(settings, "--json")
    assert (first.returncode, json.loads(first.stdout)["announced"]) == (0, 12)
    assert (second.returncode, json.loads(second.stdout)["announced"]) == (0, 0)
    assert hashes(discord) == [one for one in sent for _ in range(2)]
    assert discord.channel[0].embeds[0]["title"] == "0.001 ETH paid for a winning ticket"


def test_a_scan_that_leaves_something_says_so(node: Anvil, discord: DiscordApi, tmp_path: Path) -> None:
    node.redeem(Won())
    settings = node.settings(tmp_path / "state.db", SPILLWAY_DISCORD_WEBHOOK_URL=discord.webhook_url)
    discord.deleted = True
    left = scan(settings)
    assert (left.returncode, left.stderr.splitlines()[-1][:26]) == (1, "spillway: Discord refused ")
    discord.deleted = False
    assert scan(settings).returncode == 0
    assert len(hashes(discord)) == 1


def test_serve_scans_and_announces(node: Anvil, discord: DiscordApi, tmp_path: Path) -> None:
    sent = node.redeem(Won())
    with command(**node.settings(tmp_path / "state.db", SPILLWAY_DISCORD_WEBHOOK_URL=discord.webhook_url)):
        until(lambda: hashes(discord), within_s=60.0)
    assert hashes(discord) == [sent]


def test_a_webhook_that_discord_does_not_know_stops_the_front_door(discord: DiscordApi, tmp_path: Path) -> None:
    discord.deleted = True
    settings = {
        "SPILLWAY_STATE": f"sqlite:///{tmp_path}/state.db",
        "SPILLWAY_DISCORD_WEBHOOK_URL": discord.webhook_url,
    }
    ran = spillway("serve", "--port", "0", **settings)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith("spillway: SPILLWAY_DISCORD_WEBHOOK_URL: Discord refused the call")


def test_a_deposit_is_shown_watched_and_told(node: Anvil, discord: DiscordApi, tmp_path: Path) -> None:
    node.send("TicketBroker", node.broker, "fund", GATEWAY, ETH // 100, 3507, ETH // 2)
    node.redeem(Won())
    settings = node.settings(tmp_path / "state.db", SPILLWAY_DISCORD_WEBHOOK_URL=discord.webhook_url)
    scan(settings)
    shown = json.loads(redemptions(settings, "deposit", "--json").stdout)
    [one] = shown["deposits"]
    assert (one["sender"], one["deposit_wei"], one["reserve_wei"]) == (GATEWAY, str(ETH // 100), str(ETH // 2))
    assert (one["days_left"], one["unlocking"], one["low_since"] is not None) == (70.0, True, True)
    for _ in range(2):
        assert redemptions(settings, "deposit").returncode == 0
        scan(settings)
    titles = [embed["title"] for message in discord.channel for embed in message.embeds]
    assert titles[1:] == ["A gateway's deposit is low", "A gateway's deposit is being unlocked"]
    with command(**settings) as url:
        assert httpx.get(f"{url}/api/redemptions/deposit", timeout=30).json()["deposits"][0]["sender"] == GATEWAY
        metrics = httpx.get(f"{url}/metrics", timeout=30).text
    assert f'spillway_deposit_wei{{gateway="{GATEWAY}"}} 1e+16' in metrics
    assert "spillway_announcement_waiting_seconds 0.0" in metrics


def test_a_deposit_that_cannot_be_seen_is_said_so(node: Anvil, tmp_path: Path) -> None:
    settings = node.settings(tmp_path / "state.db", SPILLWAY_RPC_URL="http://127.0.0.1:1")
    ran = redemptions(settings, "deposit")
    assert (ran.returncode, "can't be watched" in ran.stderr) == (1, True)
