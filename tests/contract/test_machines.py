"""Every cloud fulfils ports.burst.Machines: machines come, are found by name, stop and go."""

import json
from collections.abc import AsyncIterator

import pytest

from simulator import ComputeEngineApi, GatewayCliApi, TensorDockApi
from spillway.adapters.compute_engine import metadata_token
from spillway.adapters.gateway_cli import GatewayCli
from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import Throttled
from spillway.adapters.open_port import OpenPort
from spillway.domain.burst_book import Sighting
from spillway.errors import BackendFailed, BrokenAnswer, NoCapacity, Overflow, TooSlow, Unreachable
from spillway.ports.burst import Machines
from support.burst import CLOUDS, SPEC, Api, new_name, rented

There = tuple[Api, Machines]


@pytest.fixture(params=CLOUDS)
async def there(request: pytest.FixtureRequest) -> AsyncIterator[There]:
    async with rented(request.param) as both:
        yield both


@pytest.fixture
async def tensordock() -> AsyncIterator[tuple[TensorDockApi, Machines]]:
    async with rented("tensordock") as (api, machines):
        assert isinstance(api, TensorDockApi)
        yield api, machines


@pytest.fixture
async def compute_engine() -> AsyncIterator[tuple[ComputeEngineApi, Machines]]:
    async with rented("compute-engine") as (api, machines):
        assert isinstance(api, ComputeEngineApi)
        yield api, machines


async def test_nothing_is_there_at_first(there: There) -> None:
    assert await there[1].sightings() == []


async def test_a_machine_starts_runs_stops_and_goes(there: There) -> None:
    api, machines = there
    name = new_name(api.cloud)
    await machines.create(name, SPEC)
    assert await machines.sightings() == [Sighting(name, "starting")]
    api.cloud.skip(301)
    assert await machines.sightings() == [Sighting(name, "running", f"{api.cloud.machines[0].address}:8935")]
    await machines.stop(name)
    assert [sighting.status for sighting in await machines.sightings()] == ["stopped"]
    await machines.delete(name)
    assert await machines.sightings() == []
    assert api.cloud.paid_for() == []


async def test_stop_and_delete_of_what_is_not_there_are_done(there: There) -> None:
    api, machines = there
    await machines.stop(new_name(api.cloud))
    await machines.delete(new_name(api.cloud))


async def test_only_machines_of_the_deployment_are_seen(there: There) -> None:
    api, machines = there
    for name in ("web-1", new_name(api.cloud, 2, "prod-eu")):
        api.cloud.rent(name, 1.0, {}, broken=False, stuck=False)
    assert await machines.sightings() == []


async def test_the_first_boot_brings_up_an_orchestrator(there: There) -> None:
    api, machines = there
    await machines.create(new_name(api.cloud), SPEC)
    assert "/usr/local/sbin/spillway-orchestrator" in json.dumps(api.cloud.machines[0].asked)


async def test_a_create_that_says_500_may_have_been_made(there: There) -> None:
    api, machines = there
    name = new_name(api.cloud)
    api.faults.add("error", times=1)
    await machines.create(name, SPEC)
    assert [sighting.name for sighting in await machines.sightings()] == [name]
    assert len(api.cloud.machines) == 1


@pytest.mark.parametrize("kind", ["cut", "stall", "clean_cut"])
async def test_a_create_whose_answer_is_lost_makes_one_machine(there: There, kind: str) -> None:
    api, machines = there
    api.faults.add(kind, times=1, method="POST")  # type: ignore[arg-type]
    await machines.create(new_name(api.cloud), SPEC)
    assert len(api.cloud.machines) == 1


async def test_a_slow_cloud_is_waited_for_so_long(there: There) -> None:
    api, machines = there
    api.faults.add("hang")
    with pytest.raises(TooSlow):
        await machines.sightings()


@pytest.mark.parametrize("kind", ["status", "close", "reset", "not_json", "slow_first_byte"])
async def test_reads_are_repeated(there: There, kind: str) -> None:
    api, machines = there
    api.faults.add(kind, times=1, delay_s=0.01)  # type: ignore[arg-type]
    assert await machines.sightings() == []


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("status", 503, NoCapacity),
        ("status", 500, BackendFailed),
        ("close", 0, Unreachable),
        ("empty", 0, BrokenAnswer),
        ("not_json", 0, BrokenAnswer),
    ],
)
async def test_a_broken_cloud_is_an_overflow(there: There, kind: str, status: int, expected: type[Overflow]) -> None:
    api, machines = there
    for path in ("/api", "/compute/"):
        api.faults.add(kind, path, status=status)  # type: ignore[arg-type]
    with pytest.raises(expected):
        await machines.sightings()


@pytest.mark.parametrize(
    "body",
    [
        "null",
        '{"items": null, "managedInstances": [null], "access_token": "t", "data": {"locations": [null]}}',
        '{"items": [{"name": "NAME", "networkInterfaces": null}], "data": {"locations": [{"id": "a", "gpus": null}]}}',
        '{"items": 7, "expires_in": "soon", "data": {"locations": [{"gpus": [{"v0Name": "GPU", "max_count": null}]}]}}',
    ],
)
async def test_an_answer_of_another_form_is_an_overflow(there: There, body: str) -> None:
    api, machines = there
    name = new_name(api.cloud)
    api.faults.add("status", status=200, body=body.replace("NAME", name).replace("GPU", SPEC.hardware.gpu))
    for call in (machines.sightings(), machines.create(name, SPEC), machines.stop(name), machines.delete(name)):
        with pytest.raises(BrokenAnswer):
            await call


async def test_errors_do_not_repeat_what_was_sent(there: There) -> None:
    api, machines = there
    api.faults.add("status", status=400, body=json.dumps({"error": "bad value: SECRET"}), method="POST")
    with pytest.raises(Exception) as caught:
        await machines.create(new_name(api.cloud), SPEC)
    assert "SECRET" not in f"{caught.value} {caught.value.__cause__}"


async def test_the_limit_of_calls_is_waited_out_when_it_is_short(tensordock: tuple[TensorDockApi, Machines]) -> None:
    api, machines = tensordock
    api.faults.add("status", status=429, retry_after=0.2, times=2)
    assert await machines.sightings() == []


async def test_the_limit_of_calls_is_not_waited_out_for_ever(tensordock: tuple[TensorDockApi, Machines]) -> None:
    api, machines = tensordock
    api.limit.calls = 3
    for _ in range(3):
        await machines.sightings()
    with pytest.raises(Throttled) as caught:
        await machines.sightings()
    assert (caught.value.retry_after_s or 0) > 2
    assert api.limit.limited == 1
    api.cloud.skip(60)
    assert await machines.sightings() == []


async def test_the_cheapest_place_within_the_price_is_taken(tensordock: tuple[TensorDockApi, Machines]) -> None:
    api, machines = tensordock
    await machines.create(new_name(api.cloud), SPEC)
    assert api.cloud.machines[0].asked["location_id"] == "loc-cheap"
    assert api.cloud.machines[0].usd_per_hour <= SPEC.usd_per_hour


async def test_nothing_dearer_than_the_terms_is_rented(tensordock: tuple[TensorDockApi, Machines]) -> None:
    api, machines = tensordock
    with pytest.raises(NoCapacity):
        await machines.create(new_name(api.cloud), type(SPEC)(SPEC.hardware, 0.2, {}))
    assert api.cloud.machines == []


async def test_a_place_without_room_is_left_for_the_next(tensordock: tuple[TensorDockApi, Machines]) -> None:
    api, machines = tensordock
    api.faults.add("refuse", times=1)
    await machines.create(new_name(api.cloud), type(SPEC)(SPEC.hardware, 1.0, {}))
    assert [machine.asked["location_id"] for machine in api.cloud.machines] == ["loc-dear"]


async def test_machines_of_one_name_are_all_deleted(tensordock: tuple[TensorDockApi, Machines]) -> None:
    api, machines = tensordock
    name = new_name(api.cloud)
    for _ in range(2):
        await machines.create(name, SPEC)
    await machines.delete(name)
    assert api.cloud.paid_for() == []


async def test_a_machine_that_the_group_makes_for_ever_can_be_deleted(
    compute_engine: tuple[ComputeEngineApi, Machines],
) -> None:
    api, machines = compute_engine
    name = new_name(api.cloud)
    api.faults.add("stuck")
    await machines.create(name, SPEC)
    assert await machines.sightings() == [Sighting(name, "starting")]
    await machines.delete(name)
    assert await machines.sightings() == []


async def test_a_machine_that_fell_out_of_the_group_is_found_by_its_label(
    compute_engine: tuple[ComputeEngineApi, Machines],
) -> None:
    api, machines = compute_engine
    name = new_name(api.cloud)
    await machines.create(name, SPEC)
    api.abandon(name)
    assert [sighting.name for sighting in await machines.sightings()] == [name]
    await machines.delete(name)
    assert api.cloud.paid_for() == []


async def test_every_page_is_read(compute_engine: tuple[ComputeEngineApi, Machines]) -> None:
    api, machines = compute_engine
    for n in range(5):
        await machines.create(new_name(api.cloud, n), SPEC)
        api.abandon(api.cloud.machines[-1].name)
    assert len(await machines.sightings()) == 5


async def test_the_token_is_asked_for_once(compute_engine: tuple[ComputeEngineApi, Machines]) -> None:
    api, _ = compute_engine
    pool = HttpPool()
    authorization = metadata_token(pool, api.url)
    assert await authorization() == await authorization() == {"authorization": "Bearer ya29.simulated"}
    assert sum(entry.path.startswith("/computeMetadata") for entry in api.requests) == 1
    await pool.aclose()


async def test_the_gateway_tells_slots_and_orchestrators() -> None:
    gateway, pool = GatewayCliApi({"10.0.0.1:8935": 2, "10.0.0.2:8936": 1}, model="a_b/c"), HttpPool()
    async with gateway.serve():
        cli = GatewayCli(pool, base_url=gateway.url)
        assert await cli.capacities() == {("text-to-image", "a_b/c"): 3}
        gateway.suspended = {"10.0.0.1:8935": 3}
        gateway.refreshes = 3
        assert await cli.capacities() == {("text-to-image", "a_b/c"): 1}
        gateway.refreshes = 4
        assert await cli.capacities() == {("text-to-image", "a_b/c"): 3}
        assert await cli.ready(["10.0.0.1:8935", "10.0.0.3:8935"]) == {"10.0.0.1:8935": True, "10.0.0.3:8935": False}
    await pool.aclose()


@pytest.mark.parametrize("path", ["/getNetworkCapabilities", "/getAISessionPoolsInfo"])
async def test_one_of_the_gateways_answers_is_enough(path: str) -> None:
    gateway, pool = GatewayCliApi({"10.0.0.1:8935": 1}), HttpPool()
    gateway.faults.add("status", path, status=404)
    async with gateway.serve():
        assert await GatewayCli(pool, base_url=gateway.url).capacities() == {
            ("text-to-image", "stabilityai/sdxl-turbo"): 1
        }
    await pool.aclose()


async def test_a_gateway_that_tells_nothing_is_an_overflow() -> None:
    gateway, pool = GatewayCliApi(), HttpPool()
    gateway.faults.add("status", status=404)
    async with gateway.serve():
        with pytest.raises(Overflow):
            await GatewayCli(pool, base_url=gateway.url).pools()
    await pool.aclose()


async def test_an_open_port_is_an_orchestrator_where_no_gateway_can_be_asked() -> None:
    gateway = GatewayCliApi()
    async with gateway.serve():
        address = gateway.url.removeprefix("http://")
        assert await OpenPort().ready([address, "127.0.0.1:1"]) == {address: True, "127.0.0.1:1": False}
