"""What the simulation of the policy foretells comes true: the same load, in real time and over HTTP.

Two processes of the front door share a store and stand before a simulated subnet and simulated Replicate. Then the
same scenario is played ten times on the virtual clock, each time with other luck. The real run is an eleventh draw: it
has to lie within the spread of the ten, widened on both sides by `MARGIN` of its width (an eleventh draw of the same
normal distribution is outside of that once in 500) and by what HTTP and two busy processors cost.

REAL_TIME_S=120 plays two minutes of jobs of three seconds instead of 36 s of jobs of one second.
"""

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from faults.house import TOKEN, new_client
from simulator import ReplicateApi, Service, SubnetGateway
from spillway.simulation.load import requests
from spillway.simulation.play import play
from spillway.simulation.scenario import PipelineLoad, Scenario
from support.front_door import command

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]

SECONDS = float(os.environ.get("REAL_TIME_S", "36"))
PIPELINE, MODEL = "text-to-image", "black-forest-labs/flux-schnell"
STORES = ("sqlite", "firestore")
SEEDS = range(10)
ACTUAL_SEED = 77
MARGIN = 1.0
HTTP_S = 0.25
PATIENCE_S = 30.0
ROUTES = f"""
[[routes]]
pipeline = "{PIPELINE}"
deadline = 120
subnet_timeout = {PATIENCE_S:g}
usd_per_try = {{per_try}}
usd_per_second = {{per_second}}
[[routes.fallbacks]]
provider = "replicate"
model = "{MODEL}"
usd_per_job = {{per_job}}
input = {{{{ prompt = "{{{{prompt}}}}" }}}}
"""


def scenario(seed: int) -> Scenario:
    """Overload on few slots, enough of them for a while, a short outage, and overload again."""
    brief = SECONDS < 60
    job_s, refusal_s, hosted_s = (1.0, 0.5, 1.5) if brief else (3.0, 2.0, 4.0)
    few, many, fewer = (8, 18, 6) if brief else (9, 20, 7)
    down_at, down_s = round(SECONDS / 2), 2.0 if brief else 5.0
    load = {
        "name": PIPELINE,
        "arrivals": [[0, 12.0 if brief else 6.0]],
        "service": {"median": job_s, "sigma": 0.3},
        "slots": [[0, few], [SECONDS / 3, many], [SECONDS * 2 / 3, fewer]],
        "refusal": refusal_s,
        "faults": [{"from": down_at, "to": down_at + down_s, "kind": "outage"}],
        "fallback": {"seconds": hosted_s, "usd_per_job": 0.003},
        "prices": {"per_try": 0.0, "per_second": 0.0002},
    }
    return Scenario.model_validate(
        {"name": "real time", "seed": seed, "seconds": SECONDS, "instances": 2, "state_delay": 2.0, "pipeline": [load]}
    )


@dataclass(frozen=True)
class Figures:
    """What is compared."""

    requests: int
    failed: int
    subnet_share: float
    refused_per_success: float
    latency_p95: float


def simulated(seed: int) -> Figures:
    """The virtual clock's answer."""
    figures = play(scenario(seed)).pipelines[PIPELINE]
    share = figures.subnet / figures.requests
    return Figures(figures.requests, figures.failed, share, figures.refused_per_success, figures.latency_p95)


@dataclass
class Actual:
    """A run in real time over one store: who answered, how soon, and what the subnet itself has counted."""

    served_by: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    left_open: int = 0

    def figures(self) -> Figures:
        """The same figures as the simulation's."""
        count, subnet, ordered = self.served_by.total(), self.served_by["subnet"], sorted(self.latencies)
        failed = count - subnet - self.served_by["replicate"]
        return Figures(count, failed, subnet / count, self.refused / subnet, ordered[int(0.95 * count)])


async def real(store: Mapping[str, str], folder: Path) -> Actual:
    """The scenario in real time: two processes over this store."""
    wanted = scenario(ACTUAL_SEED)
    [load] = wanted.pipelines
    service = {PIPELINE: Service(load.service.median, load.service.sigma)}
    gateway = SubnetGateway(slots=int(load.slots[0][1]), service=service, refusal_s=load.refusal, seed=ACTUAL_SEED)
    hosted = ReplicateApi(TOKEN, service_s=load.fallback.seconds)
    async with gateway.serve() as subnet, hosted.serve() as replicate, new_client() as client:
        env = {**store, **settings(load, folder), "SPILLWAY_SUBNET_URL": subnet.url}
        async with processes(2, {**env, "SPILLWAY_REPLICATE_URL": replicate.url}) as doors:
            actual = Actual()
            async with asyncio.TaskGroup() as group:
                group.create_task(weather(load, subnet))
                for luck in requests(load, wanted.seconds, wanted.instances, f"{wanted.seed}/{PIPELINE}"):
                    group.create_task(ask(client, doors[luck.instance], luck.at, actual))
            counted = subnet.by[PIPELINE]
            actual.refused, actual.left_open = counted.refused, counted.open
    return actual


def settings(load: PipelineLoad, folder: Path) -> dict[str, str]:
    """What the processes are told, apart from where the others are."""
    folder.mkdir(parents=True)
    routes = folder / "routes.toml"
    prices = {"per_try": load.prices.per_try, "per_second": load.prices.per_second}
    routes.write_text(ROUTES.format(**prices, per_job=load.fallback.usd_per_job))
    return {
        "SPILLWAY_ROUTES": str(routes),
        "SPILLWAY_ARTIFACTS": f"file://{folder / 'artifacts'}",
        "SPILLWAY_VERIFY": "none",
        "REPLICATE_API_TOKEN": TOKEN,
    }


@asynccontextmanager
async def processes(count: int, env: Mapping[str, str]) -> AsyncIterator[list[str]]:
    """`spillway serve`, so many times; the loop goes on while they start and stop."""
    with ExitStack() as stack:
        opened = [command(**env) for _ in range(count)]
        doors = await asyncio.gather(*(asyncio.to_thread(one.__enter__) for one in opened))
        for one in opened:
            stack.push(one)
        yield doors
        await asyncio.to_thread(stack.close)


async def weather(load: PipelineLoad, subnet: SubnetGateway) -> None:
    """Slots and outages when the scenario has them."""
    changes = [(second, lambda n=slots: setattr(subnet, "slots", int(n))) for second, slots in load.slots]
    for window in load.faults:
        changes += [(window.begin, subnet.outage), (window.end, subnet.recover)]
    began = asyncio.get_running_loop().time()
    for second, change in sorted(changes, key=lambda one: one[0]):
        await asyncio.sleep(began + second - asyncio.get_running_loop().time())
        change()


async def ask(client: httpx.AsyncClient, door: str, at: float, actual: Actual) -> None:
    """A request at its time, whatever has become of those before it."""
    await asyncio.sleep(at)
    began = asyncio.get_running_loop().time()
    response = await client.post(f"{door}/{PIPELINE}", json={"prompt": "a river"}, timeout=130)
    actual.latencies.append(asyncio.get_running_loop().time() - began)
    served_by = response.headers.get("x-spillway-served-by", "nobody")
    actual.served_by[served_by if response.status_code == 200 else str(response.status_code)] += 1


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Actual]:
    """All stores that are to be had here, side by side."""
    folder = tmp_path_factory.mktemp("real-time")
    stores = dict(_stores(request, folder))

    async def all_of_them() -> list[Actual]:
        return await asyncio.gather(*(real(store, folder / name) for name, store in stores.items()))

    return dict(zip(stores, asyncio.run(all_of_them()), strict=True))


def _stores(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    yield "sqlite", {"SPILLWAY_STATE": f"sqlite:///{folder / 'state.db'}"}
    try:
        address = request.getfixturevalue("firestore_emulator")
    except pytest.skip.Exception:
        return
    project = f"test-{uuid.uuid4().hex[:12]}"
    yield "firestore", {"SPILLWAY_STATE": f"firestore://{project}/(default)", "FIRESTORE_EMULATOR_HOST": address}


@pytest.fixture(scope="module")
def foretold() -> list[Figures]:
    """What the simulation says, with ten kinds of luck."""
    return [simulated(seed) for seed in SEEDS]


@pytest.fixture
def actual(store: str, runs: dict[str, Actual], request: pytest.FixtureRequest) -> Actual:
    """The run over one store."""
    if store not in runs:
        request.getfixturevalue("firestore_emulator")
    return runs[store]


def spread(values: Iterable[float]) -> tuple[float, float]:
    """From the least to the most, widened."""
    ordered = sorted(values)
    margin = MARGIN * (ordered[-1] - ordered[0])
    return ordered[0] - margin, ordered[-1] + margin


@pytest.mark.parametrize("store", STORES)
def test_nobody_fails(actual: Actual) -> None:
    figures = actual.figures()
    assert (figures.failed, actual.left_open) == (0, 0), actual.served_by
    assert figures.requests == len(actual.latencies) > 5 * SECONDS


@pytest.mark.parametrize("store", STORES)
def test_subnet_serves_the_share_that_the_simulation_foretells(actual: Actual, foretold: list[Figures]) -> None:
    least, most = spread(one.subnet_share for one in foretold)
    assert least <= actual.figures().subnet_share <= most


@pytest.mark.parametrize("store", STORES)
def test_as_many_tries_are_refused_as_the_simulation_foretells(actual: Actual, foretold: list[Figures]) -> None:
    least, most = spread(one.refused_per_success for one in foretold)
    assert least <= actual.figures().refused_per_success <= most


@pytest.mark.parametrize("store", STORES)
def test_callers_wait_as_long_as_the_simulation_foretells(actual: Actual, foretold: list[Figures]) -> None:
    least, most = spread(one.latency_p95 for one in foretold)
    assert least <= actual.figures().latency_p95 <= most + HTTP_S
