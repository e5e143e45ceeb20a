"""Several pictures in one request, before a subnet with several slots."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.house import House, Reply, ask, house
from simulator import Fault, ReplicateApi, Service, SubnetGateway
from spillway.domain.pipelines import PIPELINES
from spillway.edge.requests import json_request
from spillway.services.fan_out import even, split

ONE_S = 0.6
ROUTES = """
[providers.replicate]
kind = "replicate"
[[routes]]
pipeline = "text-to-image"
deadline = {deadline}
subnet_timeout = {subnet_timeout}
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
usd_per_job = 0.003
outputs_per_job = 4
input = {{ prompt = "{{prompt}}", num_outputs = "{{num_images}}", seed = "{{seed}}", output_format = "png" }}
"""
WANTED = {"prompt": "a river", "width": 64, "height": 64, "seed": 7, "num_images_per_prompt": 4}
SEEDS = [7, 8, 9, 10]
# No state of earlier houses: what they had learned of their subnets would count here.
PATIENT: dict[str, Any] = {"subnet_timeout": 8.0, "deadline": 16.0, "state": "memory://"}
UNSPLIT = {"x-spillway-prefer": "subnet-only"}


@asynccontextmanager
async def known(
    tmp_path: Path, *, slots: int = 12, first_s: float = 0.05, rounds: int = 6, **settings: Any
) -> AsyncIterator[House]:
    """A house that has found out how many jobs its subnet can hold; a picture takes `ONE_S` from now on."""
    subnet = SubnetGateway(slots=slots, service={"text-to-image": Service(first_s)}, refusal_s=0.1)
    replicate = ReplicateApi("r8_test", service_s=0.05)
    async with house(tmp_path, subnet=subnet, replicate=replicate, routes=ROUTES, **PATIENT, **settings) as there:
        for _ in range(rounds):
            await asyncio.gather(*(pictures(there, num_images_per_prompt=1) for _ in range(8)))
        subnet.service["text-to-image"] = Service(ONE_S)
        subnet.requests.clear()
        yield there


async def pictures(there: House, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    wanted = {name: value for name, value in {**WANTED, **fields}.items() if value is not None}
    return await ask(there.client, f"{there.url}/text-to-image", headers, json=wanted)


def seeds(reply: Reply) -> list[int]:
    assert reply.status == 200, reply.body
    return [image["seed"] for image in reply.body["images"]]


def jobs(there: House) -> list[dict[str, Any]]:
    """What the subnet was asked for, in the order of its coming."""
    return [entry.json for entry in there.subnet.requests if entry.path == "/text-to-image"]


def outcomes(there: House) -> list[str]:
    return sorted(entry.outcome for entry in there.subnet.requests if entry.path == "/text-to-image")


async def contents(there: House, reply: Reply) -> list[bytes]:
    return [(await there.client.get(image["url"])).content for image in reply.body["images"]]


async def test_four_pictures_take_about_the_time_of_one(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        before = (await there.stats())["total"]
        at_once = await pictures(there)
        assert [job["num_images_per_prompt"] for job in jobs(there)] == [1, 1, 1, 1]
        after = (await there.stats())["total"]
        one_by_one = await pictures(there, UNSPLIT)
        assert ONE_S < at_once.seconds < 1.5 * ONE_S
        assert one_by_one.seconds > 4 * ONE_S
        assert (at_once.served_by, at_once.attempts) == ("subnet", 4)
        assert after["requests"] - before["requests"] == after["subnet"] - before["subnet"] == 1
        assert after["attempts"] - before["attempts"] == 4


async def test_pictures_and_seeds_are_those_of_one_job(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        at_once = await pictures(there)
        assert len(jobs(there)) == 4
        one_by_one = await pictures(there, UNSPLIT)
        assert jobs(there)[-1] == WANTED | {"model_id": PIPELINES["text-to-image"].default_model}
        assert seeds(at_once) == seeds(one_by_one) == SEEDS
        assert await contents(there, at_once) == await contents(there, one_by_one)
        assert {tuple(sorted(image)) for image in at_once.body["images"]} == {("nsfw", "seed", "url")}


async def test_without_a_seed_the_parts_count_on_from_one_that_is_drawn(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        drawn = seeds(await pictures(there, seed=None))
        assert len(jobs(there)) == 4
        assert drawn == list(range(drawn[0], drawn[0] + 4))
        assert drawn != seeds(await pictures(there, seed=None))


async def test_openai_callers_get_theirs_at_once_too(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        wanted = {"prompt": "a river", "size": "64x64", "n": 4}
        reply = await ask(there.client, f"{there.url}/v1/images/generations", json=wanted)
        assert (len(reply.body["data"]), len(jobs(there))) == (4, 4)
        assert reply.seconds < 1.5 * ONE_S


async def test_one_job_where_the_subnet_is_full(tmp_path: Path) -> None:
    async with known(tmp_path, slots=2, first_s=ONE_S, rounds=4) as there:
        others = [asyncio.create_task(pictures(there, num_images_per_prompt=1)) for _ in range(2)]
        await asyncio.sleep(ONE_S / 3)
        assert seeds(await pictures(there)) == SEEDS
        await asyncio.gather(*others)
        assert [job["num_images_per_prompt"] for job in jobs(there)][2:] in ([], [4])


async def test_refused_part_comes_from_hosted_inference_alone(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        there.subnet.faults.add(Fault("status", status=503, times=1))
        reply = await pictures(there)
        assert seeds(reply) == SEEDS
        assert (reply.served_by, reply.attempts) == ("subnet", 5)
        assert outcomes(there) == ["failed", "served", "served", "served"]
        assert [prediction.input["num_outputs"] for prediction in there.replicate.predictions.values()] == [1]
        total = (await there.stats())["total"]
        assert (total["fallback"], total["fallback_usd"]) == (0, 0.003)


async def test_one_job_where_the_days_money_would_not_hold_all_parts(tmp_path: Path) -> None:
    async with known(tmp_path, fallback_usd_per_day=4 * 0.003 - 0.001) as there:
        assert seeds(await pictures(there)) == SEEDS
        assert [job["num_images_per_prompt"] for job in jobs(there)] == [4]


async def test_error_of_the_callers_own_stops_all_parts(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        there.subnet.faults.add(Fault("runner", status=400, message="no such LoRA", times=1))
        reply = await pictures(there)
        assert (reply.status, reply.message) == (400, "no such LoRA")
        assert outcomes(there) == ["canceled", "canceled", "canceled", "failed"]
        assert (await there.stats())["total"]["rejected"] == 1
        assert not there.replicate.predictions


async def test_all_parts_stop_when_their_caller_leaves(tmp_path: Path) -> None:
    async with known(tmp_path) as there:
        with pytest.raises(httpx.ReadTimeout):
            await there.client.post(f"{there.url}/text-to-image", json=WANTED, timeout=ONE_S / 2)
        await asyncio.sleep(0.2)
        assert outcomes(there) == ["canceled"] * 4
        assert there.subnet.free("text-to-image") == 12
        assert (await there.stats())["total"]["canceled"] == 1


async def test_whoever_always_asks_for_several_learns_that_there_is_room(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=8, service={"text-to-image": Service(0.1)}, refusal_s=0.1)
    async with house(tmp_path, subnet=subnet, routes=ROUTES, **PATIENT) as there:
        took = [(await pictures(there)).attempts for _ in range(8)]
        assert (took[0], took[-1]) == (1, 4)
        assert there.subnet.counters.refused == 0


@pytest.mark.parametrize(("pictures", "jobs", "each"), [(4, 4, [1, 1, 1, 1]), (5, 3, [2, 2, 1]), (4, 3, [2, 1, 1])])
def test_parts_are_as_even_as_can_be(pictures: int, jobs: int, each: list[int]) -> None:
    assert even(pictures, jobs) == each


def test_parts_keep_every_field_and_count_their_seeds_on() -> None:
    request = json_request(PIPELINES["text-to-image"], {**WANTED, "num_images_per_prompt": 5, "style": "ink"})
    parts = [json.loads(part.payload.content()) for part in split(request, 2, 0)]  # type: ignore[arg-type]
    assert [(part["seed"], part["num_images_per_prompt"], part["style"]) for part in parts] == [
        (7, 3, "ink"),
        (10, 2, "ink"),
    ]
