"""The commands of docs/operations.md do to a running front door what is said there."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from simulator import OpenAiApi, Service, SubnetGateway
from simulator.server import background
from support.front_door import command, hosted_routes
from support.processes import told
from support.waiting import until

QUICK = {"text-to-image": Service(0.05)}
FOLLOWED_S = 20.0


@dataclass(frozen=True)
class Deployment:
    """A front door, and the state that it is told by."""

    url: str
    state: str

    def order(self, *words: str) -> dict[str, object]:
        """`spillway policy ...` as an operator types it."""
        return dict(told("policy", *words, SPILLWAY_STATE=self.state))

    def ask(self) -> httpx.Response:
        """One picture."""
        return httpx.post(f"{self.url}/text-to-image", json={"prompt": "a lighthouse"}, timeout=30)

    def until_served_by(self, name: str) -> None:
        """Ask until it is this one who answers."""
        until(lambda: self.ask().headers.get("x-spillway-served-by") == name, FOLLOWED_S)


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
            SPILLWAY_ROUTES=hosted_routes(folder, hosted.url),
            SPILLWAY_STATE=state,
            SPILLWAY_ARTIFACTS=f"file://{folder}/artifacts",
        ) as url,
    ):
        yield Deployment(url, state)


def test_each_order_over_all_routes_is_one_command(deployment: Deployment) -> None:
    deployment.until_served_by("subnet")
    assert deployment.order("set", "--route", "all", "--mode", "fallback-only")["route"] == "all"
    deployment.until_served_by("hosted")
    deployment.order("set", "--route", "all", "--mode", "subnet-only")
    deployment.until_served_by("subnet")
    assert {answer.headers["x-spillway-served-by"] for answer in (deployment.ask() for _ in range(5))} == {"subnet"}
    deployment.order("set", "--route", "text-to-image", "--max-share", "0")
    deployment.until_served_by("hosted")
    deployment.order("reset", "--route", "all")
    deployment.until_served_by("subnet")
    assert deployment.order("show")["orders"] == {}
