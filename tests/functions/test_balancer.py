"""The function `balancer`, started as it is deployed."""

from collections.abc import Iterator

import httpx
import pytest

from simulator import ReplicateApi
from simulator.catalogue import Deployment
from simulator.server import background
from support.functions import imported, started

ROUTES = """
[providers.replicate]
kind = "replicate"
[[routes]]
pipeline = "text-to-image"
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
usd_per_job = 0.003
deployment = "acme/mine"
"""


@pytest.fixture(scope="module")
def replicate() -> Iterator[ReplicateApi]:
    api = ReplicateApi(deployments={"acme/mine": Deployment("black-forest-labs/flux-schnell", 2, 4)})
    with background(api):
        yield api


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, replicate: ReplicateApi) -> dict[str, str]:
    routes = tmp_path_factory.mktemp("balancer") / "routes.toml"
    routes.write_text(ROUTES)
    return {
        "SPILLWAY_ROUTES": str(routes),
        "SPILLWAY_STATE": f"sqlite:///{routes.parent / 'state.db'}",
        "SPILLWAY_REPLICATE_URL": replicate.url,
        "REPLICATE_API_TOKEN": replicate.token,
        "SPILLWAY_FALLBACK_USD_PER_DAY": "5",
    }


@pytest.fixture(scope="module")
def function(settings: dict[str, str]) -> Iterator[str]:
    with started("balancer", settings) as there:
        yield there.url


def test_a_round_scales_what_nobody_needs_to_zero(function: str, replicate: ReplicateApi) -> None:
    answer = httpx.post(function, timeout=30)
    assert (answer.status_code, answer.json()["problems"]) == (200, [])
    assert answer.json()["targets"]["places"]["replicate acme/mine"]["way"] == "model"
    assert replicate.catalogue.deployments["acme/mine"].min_instances == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SPILLWAY_STATE", "memory://", "which memory:// can't"),
        ("K_SERVICE", "balancer", "set firestore://"),
        ("SPILLWAY_VERIFY", "perhaps", "Input should be 'decode' or 'none'"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(
    settings: dict[str, str], name: str, value: str, says: str
) -> None:
    ran = imported("balancer", {**settings, name: value})
    assert ran.returncode == 1
    assert says in ran.stderr.splitlines()[-1]


def test_the_start_connects_to_nothing(settings: dict[str, str]) -> None:
    ran = imported("balancer", {**settings, "SPILLWAY_REPLICATE_URL": "http://127.0.0.1:1"})
    assert (ran.returncode, ran.stderr) == (0, "")
