"""Replicate's deployments fulfil ports.deployments.Deployments, however the API fails."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from simulator import ReplicateApi
from simulator.catalogue import Deployment
from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import Throttled
from spillway.adapters.replicate_deployments import ReplicateDeployments
from spillway.errors import BackendFailed, BrokenAnswer, NoCapacity, Overflow, RequestRejected, TooSlow, Unreachable
from spillway.ports.deployments import Scale

NAME, MODEL = "acme/mine", "black-forest-labs/flux-schnell"
There = tuple[ReplicateApi, ReplicateDeployments]


@pytest.fixture
async def there() -> AsyncIterator[There]:
    api, pool = ReplicateApi(deployments={NAME: Deployment(MODEL, 1, 3)}), HttpPool()
    async with api.serve(), aclosing(pool):
        yield api, ReplicateDeployments(pool, base_url=api.url, token=api.token, try_s=0.2, call_s=0.7)


def instances(api: ReplicateApi) -> Scale:
    """As it is, not as it is told."""
    entry = api.catalogue.deployments[NAME]
    return Scale(entry.min_instances, entry.max_instances)


async def test_a_scale_is_read_and_set(there: There) -> None:
    api, deployments = there
    assert await deployments.scale(NAME) == Scale(1, 3)
    assert await deployments.set_scale(NAME, Scale(2, 5)) == Scale(2, 5) == instances(api)
    assert api.instances(NAME) == 2


@pytest.mark.parametrize("kind", ["error", "cut", "clean_cut", "stall"])
async def test_a_change_that_was_made_though_it_failed_is_known_as_made(there: There, kind: str) -> None:
    api, deployments = there
    api.faults.add(kind, method="PATCH")  # type: ignore[arg-type]
    assert await deployments.set_scale(NAME, Scale(0, 3)) == Scale(0, 3) == instances(api)


async def test_a_change_that_was_not_made_though_it_succeeded_is_known_as_not_made(there: There) -> None:
    api, deployments = there
    api.faults.add("ignored")
    assert await deployments.set_scale(NAME, Scale(0, 3)) == Scale(1, 3) == instances(api)


@pytest.mark.parametrize("kind", ["status", "close", "reset", "empty", "not_json", "slow_first_byte", "hang"])
async def test_what_fails_once_is_repeated(there: There, kind: str) -> None:
    api, deployments = there
    api.faults.add(kind, times=1, delay_s=0.01, status=500)  # type: ignore[arg-type]
    assert await deployments.set_scale(NAME, Scale(2, 3)) == Scale(2, 3)


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("status", 503, NoCapacity),
        ("status", 500, BackendFailed),
        ("close", 0, Unreachable),
        ("not_json", 0, BrokenAnswer),
        ("hang", 0, TooSlow),
    ],
)
async def test_what_fails_for_good_is_an_overflow(
    there: There, kind: str, status: int, expected: type[Overflow]
) -> None:
    api, deployments = there
    api.faults.add(kind, status=status)  # type: ignore[arg-type]
    with pytest.raises(expected):
        await deployments.set_scale(NAME, Scale(2, 3))
    assert instances(api) == Scale(1, 3)


async def test_a_short_limit_of_calls_is_waited_out_and_a_long_one_is_not(there: There) -> None:
    api, deployments = there
    api.faults.add("status", status=429, retry_after=0.2, times=2)
    assert await deployments.scale(NAME) == Scale(1, 3)
    api.limit.calls = 1
    with pytest.raises(Throttled):
        await deployments.scale(NAME)
    assert api.limit.limited == 1


async def test_an_unknown_deployment_is_refused(there: There) -> None:
    with pytest.raises(RequestRejected) as caught:
        await there[1].scale("acme/other")
    assert caught.value.status == 404


async def test_a_body_of_another_shape_is_a_broken_answer(there: There) -> None:
    api, deployments = there
    api.faults.add("status", status=200, body='{"current_release": []}')
    with pytest.raises(BrokenAnswer):
        await deployments.scale(NAME)


async def test_instances_that_are_up_are_billed_by_the_second() -> None:
    api = ReplicateApi(
        deployments={NAME: Deployment(MODEL, 0, 3)}, usd_per_warm_second=1.0, billed="online", cold_start_s=30.0
    )
    async with api.serve():
        api.catalogue.patch(NAME, {"min_instances": 2})
        api.clock.skip(100.0)
        assert api.warm_usd == pytest.approx(200.0, abs=1.0)
        api.catalogue.patch(NAME, {"min_instances": 0})
        api.clock.skip(1000.0)
        assert api.instances(NAME) == 0
        assert api.warm_usd <= 2 * 100.0 + 2 * 61.0
        api.billed = "kept"
        assert api.warm_usd == pytest.approx(200.0, abs=1.0)
