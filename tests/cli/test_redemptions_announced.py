"""`spillway redemptions scan` and `spillway serve`, from a real node to a Discord."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import DiscordApi
from simulator.server import background
from support.chain import Anvil, Won, anvil
from support.front_door import command

SPILLWAY = Path(sys.executable).with_name("spillway")


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def discord() -> Iterator[DiscordApi]:
    with background(api := DiscordApi()):
        yield api


def scan(settings: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SPILLWAY_")}
    return subprocess.run(
        [SPILLWAY, "redemptions", "scan", *args],
        env={**clean, **settings}, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


def hashes(discord: DiscordApi) -> list[str]:
    return [embed["url"].rpartition("/")[2] for message in discord.channel for embed in message.embeds]


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
        end = time.monotonic() + 60
        while not hashes(discord):
            assert time.monotonic() < end
            time.sleep(0.05)
    assert hashes(discord) == [sent]
