"""`spillway loadtest` against the simulated subnet, bare and behind the front door."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import OpenAiApi, Service, SubnetGateway
from simulator.server import background
from support.front_door import command, free_port, hosted_routes
from support.processes import spillway

pytestmark = pytest.mark.alone

SLOTS, MEDIAN_S, SIGMA = 6, 0.15, 0.3
# The mean of a lognormal time: its median times exp(sigma^2 / 2).
CAPACITY = SLOTS / (MEDIAN_S * 1.0460)
TRIES = 4
PROFILE = """
name = "quick"
deadline = 10
warm_up = 0.3
beyond = {beyond}
rise = {{ rate = {rate}, factor = 1.5, steps = 4, seconds = {seconds}, ramp = 0.3 }}
pipeline = [{{ name = "text-to-image" }}]
"""


SLOW = Service(0.5, SIGMA)
SLOW_CAPACITY = SLOTS / (SLOW.median_s * 1.0460)


@pytest.fixture
def subnet() -> Iterator[SubnetGateway]:
    gateway = SubnetGateway(slots=SLOTS, service={"text-to-image": Service(MEDIAN_S, SIGMA)}, refusal_s=0.1)
    with background(gateway):
        yield gateway


def profile(tmp_path: Path, rate: float = 25, seconds: float = 1.5, beyond: int = 2) -> str:
    file = tmp_path / "profile.toml"
    file.write_text(PROFILE.format(rate=rate, seconds=seconds, beyond=beyond))
    return str(file)


def loadtest(*args: object) -> "subprocess.CompletedProcess[str]":
    return spillway("loadtest", *map(str, args))


def found(*args: object) -> dict[str, Any]:
    ended = loadtest(*args, "--json")
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def kept_up(*args: object) -> dict[str, Any]:
    """A report of a client that sent in time. One that says it couldn't measured a busy machine, not the subnet."""
    for _ in range(TRIES):
        report = found(*args)
        if report["client"]["kept_up"]:
            return report
    raise AssertionError(f"the client was late {TRIES} times: {report['client']}")


@pytest.mark.parametrize("seed", range(5))
def test_a_known_capacity_is_found_within_a_tenth(subnet: SubnetGateway, tmp_path: Path, seed: int) -> None:
    report = kept_up(subnet.url, "--profile", profile(tmp_path), "--seed", seed)
    pictures = report["pipelines"]["text-to-image"]
    assert report["gave_way"]["rate"] >= 0.9 * CAPACITY
    assert pictures["capacity"]["found"]
    assert pictures["capacity"]["per_second"] == pytest.approx(CAPACITY, rel=0.1)
    assert set(pictures["failures"]) == {"status 503"}


def test_behind_the_front_door_nobody_fails_and_shares_and_cost_are_told(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=SLOTS, service={"text-to-image": SLOW}, refusal_s=0.3)
    hosted = OpenAiApi(service_s=0.1)
    with background(subnet), background(hosted):
        env = {
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_ROUTES": hosted_routes(tmp_path, hosted.url),
            "SPILLWAY_ARTIFACTS": f"file://{tmp_path / 'artifacts'}",
        }
        with command(**env) as url:
            report = found(url, "--profile", profile(tmp_path, rate=20, seconds=5, beyond=1))
    pictures = report["pipelines"]["text-to-image"]
    assert pictures["failures"] == {}
    assert set(pictures["served_by"]) == {"subnet", "hosted"}
    assert pictures["capacity"]["per_second"] == pytest.approx(SLOW_CAPACITY, rel=0.2)
    assert "from the subnet" in report["gave_way"]["why"]["text-to-image"]
    paid = round(report["fallback_usd"] / 0.04)
    assert paid >= pictures["served_by"]["hosted"]
    assert paid == hosted.counters.served


def test_a_page_holds_its_report_and_can_be_compared_with(subnet: SubnetGateway, tmp_path: Path) -> None:
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    quick = profile(tmp_path, rate=10, seconds=1)
    assert loadtest(subnet.url, "--profile", quick, "--report", first).returncode == 0
    subnet.faults.add("extra_slow")
    ended = loadtest(subnet.url, "--profile", quick, "--report", second, "--baseline", first)
    assert ended.returncode == 0, ended.stderr
    assert "worse" in ended.stdout
    page = second.read_text()
    assert page.startswith("<!doctype html>")
    assert "What changed" in page
    assert "http" not in page.replace("http://127.0.0.1", "").replace("http://www.w3.org/2000/svg", "")
    again = found(second, "--baseline", first)
    assert {one["figure"]: one["verdict"] for one in again["changes"]}["p50, s"] == "worse"


def test_another_machine_is_not_loaded_by_mistake() -> None:
    ended = loadtest("http://192.0.2.1:8080")
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        "spillway: 192.0.2.1 is not this machine: a load test can cost money and harm others; add --yes-really"
    )


def test_a_target_that_is_not_there_is_one_line() -> None:
    ended = loadtest(f"http://127.0.0.1:{free_port()}")
    assert ended.returncode == 2
    assert "does not answer" in ended.stderr


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"kind": "something else"}')
    ended = loadtest(other)
    assert ended.returncode == 2
    assert ended.stderr.strip().endswith("is no report of a load test")
