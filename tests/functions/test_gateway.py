"""The function `gateway`, started as it is deployed."""

from collections.abc import Iterator

import httpx
import pytest

from simulator.server import background
from simulator.subnet import SubnetGateway
from support.functions import imported, started

HEAVY = ("web3", "google.cloud.pubsub", "google.cloud.firestore", "grpc", "PIL", "av", "livepeer_ai", "typer")
ON_DEMAND = (
    "replicate", "pydantic.v1", "standardwebhooks", "cryptography", "opentelemetry", "spillway.drawing",
    "spillway.assembly.annex", "spillway.assembly.jobs", "spillway.assembly.kept", "spillway.assembly.worker",
    "spillway.edge.annex", "spillway.edge.dashboard", "spillway.edge.gif", "spillway.edge.openapi",
    "spillway.edge.jobs", "spillway.services.balancing", "spillway.services.jobs", "spillway.services.redemptions",
    "spillway.services.workers", "spillway.domain.jobs", "spillway.domain.redemptions", "spillway.domain.burst",
)  # fmt: skip
"""Most requests do without these. Each cost a part of the start when it was loaded there."""


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    subnet = SubnetGateway(slots=4, time_scale=0.01)
    artifacts = f"file://{tmp_path_factory.mktemp('artifacts')}"
    with (
        background(subnet),
        started("gateway", {"SPILLWAY_SUBNET_URL": subnet.url, "SPILLWAY_ARTIFACTS": artifacts}) as there,
    ):
        yield there.url


def test_every_path_is_the_front_doors(function: str) -> None:
    assert httpx.get(f"{function}/readyz", timeout=30).json() == {"status": "ok"}
    assert httpx.get(f"{function}/nowhere", timeout=30).headers["content-type"] == "application/problem+json"


def test_picture_is_made_and_served(function: str) -> None:
    answer = httpx.post(f"{function}/text-to-image", json={"prompt": "a cat"}, timeout=30)
    assert answer.headers["x-spillway-served-by"] == "subnet"
    assert httpx.get(answer.json()["images"][0]["url"], timeout=30).headers["content-type"] == "image/png"


def test_chat_streams_through_the_framework(function: str) -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    with httpx.stream("POST", f"{function}/v1/chat/completions", json=asked, timeout=30) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert len(lines) > 3


def test_cold_start_loads_nothing_that_a_first_request_does_not_need() -> None:
    code = f"import sys, main; print([name for name in {HEAVY + ON_DEMAND!r} if name in sys.modules])"
    everything_used = {
        "SPILLWAY_SUBNET_URL": "http://127.0.0.1:9",
        "REPLICATE_API_TOKEN": "r8_unused",
        "SPILLWAY_REPLICATE_WEBHOOK_SECRET": "whsec_c2VjcmV0",
        "SPILLWAY_AUTH": "keys",
    }
    ran = imported("gateway", everything_used, code)
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]")


def test_what_a_cold_start_loads_and_what_is_under_way_is_not_looked_through_for_garbage() -> None:
    code = """
import gc, functions_framework.aio, spillway.assembly.loading
looks = []
gc.callbacks.append(lambda phase, _: looks.append(phase))
import main
loaded = len(looks)
held = [[] for _ in range(4_000)]
print(loaded < 10, gc.get_freeze_count() > 10_000, len(looks) == loaded)
held += [[] for _ in range(4_000)]
print(len(looks) > loaded)
"""
    assert imported("gateway", {}, code).stdout.split() == ["True"] * 4


def test_bad_setting_stops_the_start_with_its_name() -> None:
    ran = imported("gateway", {"SPILLWAY_VERIFY": "perhaps"})
    assert ran.returncode == 1
    assert "SPILLWAY_VERIFY: Input should be 'decode' or 'none'" in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "SPILLWAY_AUTH: set it to keys"),
        ({"SPILLWAY_AUTH": "keys"}, "sqlite:// is gone with each instance"),
        ({"SPILLWAY_AUTH": "keys", "SPILLWAY_STATE": "memory://"}, "memory:// has none to begin with"),
    ],
)
def test_in_the_cloud_nobody_is_let_in_by_mistake(settings: dict[str, str], says: str) -> None:
    ran = imported("gateway", {"K_SERVICE": "gateway", **settings})
    assert ran.returncode == 1
    assert says in ran.stderr.splitlines()[-1]
