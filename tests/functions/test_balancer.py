"""The function `balancer`, started as it is deployed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator import ReplicateApi
from simulator.catalogue import Deployment
from simulator.server import background
from support.front_door import ROOT, free_port

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
FUNCTION = ROOT / "functions/balancer"


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
        **os.environ,
        "SPILLWAY_ROUTES": str(routes),
        "SPILLWAY_STATE": f"sqlite:///{routes.parent / 'state.db'}",
        "SPILLWAY_REPLICATE_URL": replicate.url,
        "REPLICATE_API_TOKEN": replicate.token,
        "SPILLWAY_FALLBACK_USD_PER_DAY": "5",
    }


@pytest.fixture(scope="module")
def function(settings: dict[str, str]) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("functions-framework"),
            "--source", FUNCTION / "main.py", "--target", "balancer", "--host", "127.0.0.1", "--port", str(port),
        ],
        env=settings,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx.get(url, timeout=10)
            break
        except httpx.HTTPError:
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(15)


def test_a_round_scales_what_nobody_needs_to_zero(function: str, replicate: ReplicateApi) -> None:
    answer = httpx.post(function, timeout=30)
    assert (answer.status_code, answer.json()["problems"]) == (200, [])
    assert answer.json()["targets"]["places"]["replicate acme/mine"]["way"] == "model"
    assert replicate.catalogue.deployments["acme/mine"].min_instances == 0


def start(settings: dict[str, str], **changes: str) -> subprocess.CompletedProcess[str]:
    """Import the function, as the framework does."""
    return subprocess.run(
        [sys.executable, "-c", "import main"],
        cwd=FUNCTION,
        env={**settings, **changes},
        capture_output=True,
        text=True,
        check=False,
    )


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
    ran = start(settings, **{name: value})
    assert ran.returncode == 1
    assert says in ran.stderr.splitlines()[-1]


def test_the_start_connects_to_nothing(settings: dict[str, str]) -> None:
    ran = start(settings, SPILLWAY_REPLICATE_URL="http://127.0.0.1:1")
    assert (ran.returncode, ran.stderr) == (0, "")
