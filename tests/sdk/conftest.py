"""Front doors as people run them, each in a process of its own, before simulated servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator import OpenAiApi, ReplicateApi, SubnetGateway, background, media
from support.front_door import command, hosted_routes


@dataclass(frozen=True, slots=True)
class StandIns:
    """The servers behind the front doors: a subnet with free slots, one without, and hosted inference."""

    subnet: SubnetGateway
    full_subnet: SubnetGateway
    replicate: ReplicateApi
    openai: OpenAiApi


@pytest.fixture(scope="session")
def stand_ins() -> Iterator[StandIns]:
    servers = StandIns(
        subnet=SubnetGateway(slots=16, time_scale=0.02),
        full_subnet=SubnetGateway(slots=0, time_scale=0.02),
        replicate=ReplicateApi(service_s=0.1, cold_start_s=0.1),
        openai=OpenAiApi(service_s=0.1),
    )
    with background(servers.subnet, servers.full_subnet, servers.replicate, servers.openai):
        yield servers


@pytest.fixture(scope="session")
def free(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Before a subnet with free slots."""
    with front_door(stand_ins, stand_ins.subnet, tmp_path_factory.mktemp("free")) as url:
        yield url


@pytest.fixture(scope="session")
def full(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Before a subnet that answers 503 to everything, with Replicate to fall back on."""
    with front_door(stand_ins, stand_ins.full_subnet, tmp_path_factory.mktemp("full")) as url:
        yield url


@pytest.fixture(scope="session")
def hosted(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same with an OpenAI-compatible provider instead of Replicate."""
    directory = tmp_path_factory.mktemp("hosted")
    routes = hosted_routes(directory, stand_ins.openai.url, ("text-to-image", "llm"))
    with front_door(stand_ins, stand_ins.full_subnet, directory, SPILLWAY_ROUTES=routes) as url:
        yield url


@contextmanager
def front_door(stand_ins: StandIns, subnet: SubnetGateway, directory: Path, **env: str) -> Iterator[str]:
    """`spillway serve` before this subnet, with its artifacts in a directory; gives its URL."""
    settings = {
        "SPILLWAY_SUBNET_URL": subnet.url,
        "SPILLWAY_REPLICATE_URL": stand_ins.replicate.url,
        "REPLICATE_API_TOKEN": stand_ins.replicate.token,
        "SPILLWAY_STATE": "memory://",
        "SPILLWAY_ARTIFACTS": f"file://{directory}/artifacts",
    }
    with command(**{**settings, **env}) as url:
        yield url


@pytest.fixture(scope="session")
def picture() -> bytes:
    return media.picture(64, 64, 1)


@pytest.fixture(scope="session")
def sound() -> bytes:
    return media.mp3(1)
