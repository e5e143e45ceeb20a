"""The commands of docs/operations.md do to a running front door what is said there."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from simulator import OpenAiApi, Service, SubnetGateway
from simulator.server import background
from support.front_door import command, hosted_pictures

SPILLWAY = Path(sys.executable).with_name("spillway")
QUICK = {"text-to-image": Service(0.05)}
FOLLOWED_S = 20.0


@dataclass(frozen=True)
class Deployment:
    """A front door, and the state that it is told by."""

    url: str
    state: str

    def order(self, *words: str) -> dict[str, object]:
        """`spillway policy ...` as an operator types it."""
        line = [SPILLWAY, "policy", *words, "--json"]
        ran = subprocess.run(line, env={"SPILLWAY_STATE": self.state}, capture_output=True, text=True, check=True)
        told: dict[str, object] = json.loads(ran.stdout)
        return told

    def ask(self) -> httpx.Response:
        """One picture."""
        return httpx.post(f"{self.url}/text-to-image", json={"prompt": "a lighthouse"}, timeout=30)

    def until(self, expected: Callable[[httpx.Response], bool]) -> bool:
        """Ask until an answer is as expected; False where none was in time."""
        end = time.monotonic() + FOLLOWED_S
        while time.monotonic() < end:
            if expected(self.ask()):
                return True
            time.sleep(0.2)
        return False


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("operations")
    subnet, hosted = SubnetGateway(slots=4, service=QUICK), OpenAiApi(service_s=0.05)
    state = f"sqlite:///{folder}/state.db"
    with (
        background(subnet),
        background(hosted),
        command(
            SPILLWAY_SUBNET_URL=subnet.url,
            SPILLWAY_ROUTES=hosted_pictures(folder, hosted.url),
            SPILLWAY_STATE=state,
            SPILLWAY_ARTIFACTS=f"file://{folder}/artifacts",
        ) as url,
    ):
        yield Deployment(url, state)


def served_by(name: str) -> Callable[[httpx.Response], bool]:
    return lambda answer: answer.headers.get("x-spillway-served-by") == name


def test_each_order_over_all_routes_is_one_command(deployment: Deployment) -> None:
    assert deployment.until(served_by("subnet"))
    assert deployment.order("set", "--route", "all", "--mode", "fallback-only")["route"] == "all"
    assert deployment.until(served_by("hosted"))
    deployment.order("set", "--route", "all", "--mode", "subnet-only")
    assert deployment.until(served_by("subnet"))
    assert {answer.headers["x-spillway-served-by"] for answer in (deployment.ask() for _ in range(5))} == {"subnet"}
    deployment.order("set", "--route", "text-to-image", "--max-share", "0")
    assert deployment.until(served_by("hosted"))
    deployment.order("reset", "--route", "all")
    assert deployment.until(served_by("subnet"))
    assert deployment.order("show")["orders"] == {}
