"""The function `redemptions`, started as it is deployed, before a real node."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from spillway.adapters.sqlite_store import SqliteStore
from spillway.services.rounds import Rounds
from support.chain import Anvil, Won, anvil
from support.front_door import free_port
from support.functions import imported, started


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


def called(url: str) -> httpx.Response:
    """Its answer to the scheduler."""
    return httpx.post(url, timeout=60)


def test_round_reads_what_the_chain_has(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won(), Won())
    with started("redemptions", node.settings(tmp_path / "state.db")) as there:
        first, second = called(there.url), called(there.url)
    assert (first.status_code, first.json()["found"], first.json()["scanned_to"]) == (200, 2, node.height)
    assert (second.status_code, second.json()["found"]) == (200, 0)


async def test_only_rounds_that_leave_nothing_are_written_down(node: Anvil, tmp_path: Path) -> None:
    settings = node.settings(tmp_path / "state.db")
    store = SqliteStore(tmp_path / "state.db")
    with started("redemptions", {**settings, "SPILLWAY_RPC_URL": f"http://127.0.0.1:{free_port()}"}) as there:
        called(there.url)
    assert await Rounds(store, epoch=time.time).last() == {}
    with started("redemptions", settings) as there:
        called(there.url)
    assert abs((await Rounds(store, epoch=time.time).last())["redemptions"] - time.time()) < 60
    await store.close()


def test_round_that_leaves_something_is_503_with_the_reason(node: Anvil, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    with started("redemptions", node.settings(tmp_path / "state.db", SPILLWAY_RPC_URL=dead)) as there:
        answer = called(there.url)
    assert answer.status_code == 503
    assert f"{dead.removeprefix('http://')} gave no answer" in answer.json()["problems"][0]


def test_another_chain_is_503_with_the_reason(node: Anvil, tmp_path: Path) -> None:
    with started("redemptions", node.settings(tmp_path / "state.db", SPILLWAY_CHAIN_ID="42161")) as there:
        answer = called(there.url)
    assert (answer.status_code, answer.json()["alarm"]) == (503, True)
    assert answer.json()["problems"][0].startswith("SPILLWAY_CHAIN_ID: ")


def test_without_a_node_there_is_nothing_to_do(tmp_path: Path) -> None:
    with started("redemptions", {"SPILLWAY_STATE": f"sqlite:///{tmp_path / 'state.db'}"}) as there:
        answer = called(there.url)
    assert (answer.status_code, answer.json()["skipped"]) == (200, "SPILLWAY_RPC_URL is not set")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SPILLWAY_RPC_URL", "node:8545", "SPILLWAY_RPC_URL: must be an http:// or https:// URL"),
        ("SPILLWAY_SENDERS", "0x012345de92B630C065dFc0caBE4eB34f74f7FC85", "SPILLWAY_SENDERS: 0x012345de92"),
        ("SPILLWAY_TICKET_BROKER", "0x1234", "SPILLWAY_TICKET_BROKER: '0x1234' is no address"),
        ("SPILLWAY_STATE", "memory://", "SPILLWAY_STATE: memory:// would forget which redemptions are known"),
        ("K_SERVICE", "redemptions", "SPILLWAY_STATE: sqlite:// is of one machine"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(name: str, value: str, says: str, tmp_path: Path) -> None:
    settings = {"SPILLWAY_RPC_URL": "http://node", "SPILLWAY_STATE": f"sqlite:///{tmp_path / 'state.db'}", name: value}
    ran = imported("redemptions", settings)
    assert ran.returncode == 1
    assert says in ran.stderr.splitlines()[-1]
