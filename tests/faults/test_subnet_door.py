"""The worker's way to the subnet: through the gateway's internal path, with all that can happen on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from faults.house import QUICK, House, house
from simulator import Fault, Service, SubnetGateway
from spillway.adapters.gateway_door import GatewayDoor
from spillway.adapters.http import HttpPool
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest, Terms
from spillway.edge.requests import json_request
from spillway.errors import BrokenAnswer, NoCapacity, RequestRejected, TooSlow, Unreachable
from support.front_door import free_port
from support.waiting import eventually

KEY = "a key of some length"


def pictures(prompt: str = "a river") -> InferenceRequest:
    """A small picture."""
    return json_request(PIPELINES["text-to-image"], {"prompt": prompt, "width": 128, "height": 128})


@dataclass
class Told:
    """Counts how often a try began."""

    times: int = 0
    error: Exception | None = None
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        self.times += 1
        self.began.set()
        if self.error:
            raise self.error


@asynccontextmanager
async def door(url: str, *, key: str = KEY, silence_s: float = 5.0) -> AsyncIterator[GatewayDoor]:
    """The worker's side."""
    pool = HttpPool()
    try:
        yield GatewayDoor(pool, base_url=url, key=key, silence_s=silence_s)
    finally:
        await pool.aclose()


@asynccontextmanager
async def both(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[House, GatewayDoor]]:
    """A gateway and a worker's door to it."""
    async with house(tmp_path, internal_key=KEY, **options) as there, door(there.url) as way:
        yield there, way


async def test_a_try_is_told_when_it_begins_and_gives_a_kept_picture(tmp_path: Path) -> None:
    async with both(tmp_path) as (there, way):
        told = Told()
        result = await way.infer(pictures(), Terms(public_url=there.url), 5.0, told)
        assert (told.times, result.model) == (1, "stabilityai/sdxl-turbo")
        url = result.body["images"][0]["url"]
        assert url.startswith(f"{there.url}/artifacts/")
        assert (await there.client.get(url)).status_code == 200


async def test_a_full_subnet_is_waited_for_and_one_count_holds_for_all(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=1, service={"text-to-image": Service(0.3)}, refusal_s=0.05)
    async with both(tmp_path, subnet=subnet) as (there, way):

        async def served() -> str:
            """A refusal, by which the policy learns how many slots there are, is not the end."""
            while True:
                with suppress(NoCapacity):
                    return (await way.infer(pictures(), Terms(), 20.0, Told())).model

        assert await asyncio.gather(*(served() for _ in range(6))) == ["stabilityai/sdxl-turbo"] * 6
        policy = (await there.client.get(f"{there.url}/api/policy")).json()["routes"]
        [gate] = [gate for name, gate in policy.items() if name.startswith("text-to-image")]
        assert gate["open"] == 0


async def test_where_no_slot_is_to_be_had_there_is_no_try(tmp_path: Path) -> None:
    resting = Fault("refuse", retry_after=30.0)
    async with both(tmp_path, subnet=SubnetGateway(slots=9, refusal_s=0.05, faults=[resting])) as (there, way):
        refused, turned_away = Told(), Told()
        with pytest.raises(NoCapacity, match="503"):
            await way.infer(pictures(), Terms(), 5.0, refused)
        with pytest.raises(NoCapacity, match="resting"):
            await way.infer(pictures(), Terms(), 5.0, turned_away)
        assert (refused.times, turned_away.times, len(there.subnet.requests)) == (1, 0, 1)


async def test_the_callers_own_error_is_the_same_error_at_the_worker(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=9, service=QUICK, faults=[Fault("runner", status=400, message="height is odd")])
    async with both(tmp_path, subnet=subnet) as (_, way):
        with pytest.raises(RequestRejected) as caught:
            await way.infer(pictures(), Terms(), 5.0, Told())
        assert caught.value.status == 400


async def test_a_job_that_was_canceled_meanwhile_ends_the_try(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=1, service={"text-to-image": Service(30.0)})
    async with both(tmp_path, subnet=subnet, subnet_timeout=30.0, deadline=60.0) as (there, way):
        with pytest.raises(asyncio.InvalidStateError):
            await way.infer(pictures(), Terms(), 5.0, Told(error=asyncio.InvalidStateError()))
        await eventually(lambda: not subnet.counters.in_flight)
        assert (await there.client.get(f"{there.url}/healthz")).status_code == 200


@pytest.mark.parametrize("sent", [{}, {"x-spillway-internal-key": "another key of some length"}])
async def test_nobody_else_comes_in(tmp_path: Path, sent: dict[str, str]) -> None:
    async with both(tmp_path) as (there, _):
        answer = await there.client.post(
            f"{there.url}/internal/subnet/text-to-image", json={"prompt": "x"}, headers=sent
        )
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_without_a_key_there_is_no_such_path(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        answer = await there.client.post(f"{there.url}/internal/subnet/text-to-image", json={"prompt": "x"})
        assert answer.status_code == 404


async def test_a_wrong_key_is_no_try(tmp_path: Path) -> None:
    async with house(tmp_path, internal_key=KEY) as there, door(there.url, key="wrong") as way:
        told = Told()
        with pytest.raises(Unreachable, match="401"):
            await way.infer(pictures(), Terms(), 0.0, told)
        assert told.times == 0


async def test_a_gateway_that_comes_back_is_called_again() -> None:
    port, calls = free_port(), []

    async def answer(request: web.Request) -> web.StreamResponse:
        calls.append(request.headers["x-spillway-patience"])
        if len(calls) == 1:
            assert request.transport is not None
            request.transport.close()
        return web.Response(text='{"event":"started"}\n{"event":"result","body":{"images":[]},"model":"m"}\n')

    async with door(f"http://127.0.0.1:{port}") as way:
        told = Told()
        trying = asyncio.create_task(way.infer(pictures(), Terms(), 10.0, told))
        await asyncio.sleep(0.2)
        async with listening(answer, port):
            assert (await trying).model == "m"
        assert (told.times, len(calls)) == (1, 2)
        assert float(calls[-1]) < 10.0


@asynccontextmanager
async def listening(answer: Any, port: int = 0) -> AsyncIterator[str]:
    """A gateway that answers as a test wants."""
    app = web.Application()
    app.router.add_post("/internal/subnet/text-to-image", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def one_piece(request: web.Request, text: str, *, then: str) -> web.StreamResponse:
    """Some words, and then silence, or the end."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(text.encode())
    if then == "silence":
        await asyncio.sleep(30)
    return response


@pytest.mark.parametrize(
    ("text", "then", "error", "tries"),
    [
        ('{"event":"started"}\n', "end", BrokenAnswer, 1),
        ('{"event":"started"}\n', "silence", TooSlow, 1),
        ('{"event":"started"}\nrubbish\n', "end", BrokenAnswer, 1),
        ('{"event":"waiting"}\n', "end", Unreachable, 0),
        ('{"event":"waiting"}\n', "silence", Unreachable, 0),
        ("[1]\n", "end", Unreachable, 0),
    ],
)
async def test_a_call_that_breaks_off_is_a_lost_try_only_once_it_has_begun(
    text: str, then: str, error: type[Exception], tries: int
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await one_piece(request, text, then=then)

    async with listening(answer) as url, door(url, silence_s=0.3) as way:
        told = Told()
        with pytest.raises(error):
            await way.infer(pictures(), Terms(), 0.0, told)
        assert told.times == tries


async def test_a_body_that_is_no_request_is_the_callers_error(tmp_path: Path) -> None:
    async with house(tmp_path, internal_key=KEY) as there:
        sent = {"x-spillway-internal-key": KEY, "x-spillway-patience": "1"}
        answer = await there.client.post(f"{there.url}/internal/subnet/text-to-image", json={}, headers=sent)
        lines = [httpx.Response(200, text=line).json() for line in answer.text.splitlines()]
        assert [(line["event"], line["error"]["class"]) for line in lines] == [("failed", "BadRequest")]
