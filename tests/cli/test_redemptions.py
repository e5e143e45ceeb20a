"""`spillway redemptions` as people run it, before a real node."""

import csv
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from simulator import ChainNode, Limits
from simulator.server import background
from support.chain import ETH, GATEWAY, Anvil, Won, anvil, orchestrator
from support.front_door import command, free_port
from support.processes import SPILLWAY, environment, spillway
from support.reading import truth
from support.waiting import until

DAY_S = 86_400


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    """Three days with redemptions, the newest block an hour ago."""
    with anvil() as running:
        now = int(time.time()) // DAY_S * DAY_S
        for number in range(3):
            running.rpc("evm_setNextBlockTimestamp", now + (number + 1) * DAY_S + 60)
            running.redeem(*[Won(orchestrator(number), face=ETH // 1000 * (number + 1))] * (number + 1))
        yield running


@pytest.fixture(scope="module")
def settings(node: Anvil, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A state in which one scan has read everything."""
    env = node.settings(tmp_path_factory.mktemp("cli") / "state.db")
    ran = run("scan", "--json", **env)
    assert (ran.returncode, json.loads(ran.stdout)["found"]) == (0, 6)
    return env


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return spillway("redemptions", *arguments, **env)


@pytest.fixture(scope="module")
def whole(settings: dict[str, str]) -> dict[str, Any]:
    """The report of everything."""
    return reported(settings)


def reported(settings: dict[str, str], *arguments: str) -> dict[str, Any]:
    ran = run("report", "--json", *arguments, **settings)
    assert (ran.returncode, ran.stderr) == (0, "")
    return dict(json.loads(ran.stdout))


def test_report_is_what_the_chain_says_newest_first(node: Anvil, whole: dict[str, Any]) -> None:
    rows = whole["redemptions"]
    told = [
        (one["tx_hash"], one["log_index"], one["block_number"], one["recipient"], int(one["amount_wei"]))
        for one in reversed(rows)
    ]
    assert told == truth(node)
    assert {(one["chain_id"], one["sender"], one["status"], one["round"]) for one in rows} == {
        (31337, GATEWAY, "final", 3500)
    }
    total = ETH // 1000 * (1 + 2 * 2 + 3 * 3)
    assert (whole["totals"]["count"], whole["totals"]["amount_wei"]) == (6, str(total))


def test_report_is_of_the_days_asked_for(settings: dict[str, str], whole: dict[str, Any]) -> None:
    [middle] = {one["timestamp"][:10] for one in whole["redemptions"][3:5]}
    report = reported(settings, "--from", middle, "--to", middle)
    assert report["totals"]["count"] == len(report["redemptions"]) == 2


def test_groups_add_up_to_the_whole(settings: dict[str, str]) -> None:
    for by, groups in (("orchestrator", 3), ("day", 3), ("gateway", 1)):
        report = reported(settings, "--by", by)
        rows = report["by"][by]
        assert len({row[by] for row in rows}) == groups == len(rows)
        assert sum(int(row["amount_wei"]) for row in rows) == int(report["totals"]["amount_wei"])
        assert sum(row["count"] for row in rows) == report["totals"]["count"]


def test_csv_and_plot_hold_the_same(settings: dict[str, str], whole: dict[str, Any], tmp_path: Path) -> None:
    ran = run("report", "--csv", "--plot", str(tmp_path / "out.svg"), **settings)
    rows = list(csv.DictReader(ran.stdout.splitlines()))
    assert [row["tx_hash"] for row in rows] == [one["tx_hash"] for one in whole["redemptions"]]
    picture = ET.fromstring((tmp_path / "out.svg").read_text())
    bars = [one for one in picture.iter() if one.get("class") == "day"]
    assert len(bars) == 3
    grouped = list(csv.DictReader(run("report", "--csv", "--by", "day", **settings).stdout.splitlines()))
    assert [row["count"] for row in grouped] == ["3", "2", "1"]


def test_people_get_a_table(settings: dict[str, str]) -> None:
    ran = run("report", **settings, COLUMNS="200")
    assert "6 winning tickets, 0.014 ETH to 3 orchestrators" in ran.stdout
    assert "0.009" in run("report", "--by", "day", **settings).stdout


def test_front_door_reports_the_same(settings: dict[str, str], whole: dict[str, Any]) -> None:
    """By pages, as JSON and as CSV; its own scan finds nothing more."""
    with command(**settings) as url, httpx.Client(base_url=url) as client:
        assert client.get("/api/redemptions").json() == {**whole, "after": None}
        rows, next_ = [], "/api/redemptions?limit=4"
        for _ in range(2):
            page = client.get(next_)
            rows += page.json()["redemptions"]
            next_ = page.links.get("next", {}).get("url", "")
        assert (rows, next_) == (whole["redemptions"], "")
        table = client.get("/api/redemptions?limit=1", headers={"accept": "text/csv"})
        assert table.headers["content-type"].startswith("text/csv")
        assert [row["tx_hash"] for row in csv.DictReader(table.text.splitlines())] == [rows[0]["tx_hash"]]
        assert "next" in table.links
        bad = client.get("/api/redemptions?limit=0")
        assert (bad.status_code, bad.headers["content-type"]) == (400, "application/problem+json")


def test_backfill_that_is_killed_goes_on_where_it_was(node: Anvil, tmp_path: Path) -> None:
    slow = ChainNode(node.url, limits=Limits(blocks=1), slow_s={"eth_getLogs": 0.4})
    with background(slow):
        env = {**node.settings(tmp_path / "state.db"), "SPILLWAY_RPC_URL": slow.url}
        arguments = [SPILLWAY, "redemptions", "backfill", "--from", "0"]
        process = subprocess.Popen(arguments, env=environment(env), stderr=subprocess.DEVNULL)
        until(lambda: any(call[1][0]["fromBlock"] == "0x1" for call in logs_of(slow)))
        process.kill()
        process.wait(10)
        slow.calls.clear()
        slow.slow_s.clear()
        ran = run("backfill", "--from", "0", "--json", **env)
        first = min(int(call[1][0]["fromBlock"], 16) for call in logs_of(slow))
    assert (ran.returncode, first > 0) == (0, True)
    assert reported(env)["totals"]["count"] == len(truth(node))


def logs_of(node: ChainNode) -> list[Any]:
    return [call for call in list(node.calls) if call[0] == "eth_getLogs"]


def test_backfill_ends_where_it_was_asked_to(node: Anvil, tmp_path: Path) -> None:
    env = node.settings(tmp_path / "state.db")
    ran = run("backfill", "--from", "0", "--to", "2", "--json", "--no-announce", **env)
    assert json.loads(ran.stdout)["scanned_to"] == 2
    assert json.loads(run("scan", "--json", **env).stdout)["found"] == 5


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"SPILLWAY_CHAIN_ID": "42161"}, 2, "is a node of chain 31337, not of 42161"),
        ({"SPILLWAY_TICKET_BROKER": "0x" + "12" * 20}, 2, "SPILLWAY_TICKET_BROKER: there is no contract at 0x1212"),
        ({"SPILLWAY_SENDERS": "0x12"}, 2, "SPILLWAY_SENDERS: '0x12' is no address"),
        ({"SPILLWAY_RPC_URL": ""}, 2, "SPILLWAY_RPC_URL: set it to the URL of a node of chain 31337"),
        ({"SPILLWAY_RPC_URL": f"http://127.0.0.1:{free_port()}"}, 1, "gave no answer"),
    ],
)
def test_what_keeps_a_scan_from_its_end_is_one_line(
    settings: dict[str, str], changes: dict[str, str], status: int, says: str
) -> None:
    ran = run("scan", **{**settings, **changes})
    assert ran.returncode == status
    [line] = ran.stderr.splitlines()
    assert says in line


@pytest.mark.parametrize("arguments", [("--from", "yesterday"), ("--to", "2026-11-26T10:00:00"), ("--json", "--csv")])
def test_report_that_can_not_be_is_one_line(settings: dict[str, str], arguments: tuple[str, ...]) -> None:
    ran = run("report", *arguments, **settings)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)


def test_another_chain_stops_the_front_door(settings: dict[str, str]) -> None:
    ran = spillway("serve", "--port", "0", **{**settings, "SPILLWAY_CHAIN_ID": "1"})
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].startswith("spillway: SPILLWAY_CHAIN_ID: ")
