"""Facts of every simulator's life: starting, dying, coming back, being steered from outside, leaving nothing behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from simulator import OpenAiApi, ReplicateApi, Service, SubnetGateway, background

ASKED = {"prompt": "a heron", "model_id": "m"}
INFRA = str(Path(__file__).parents[2] / "infra")


async def test_stop_does_not_wait_for_hung_requests_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with httpx.AsyncClient(verify=False) as client:
        async with SubnetGateway(5, time_scale=0.01).serve() as subnet:
            subnet.faults.add("hang")
            hung = [asyncio.create_task(client.post(f"{subnet.url}/text-to-image", json=ASKED)) for _ in range(5)]
            await asyncio.sleep(0.1)
            began = time.perf_counter()
        assert time.perf_counter() - began < 0.5
        results = await asyncio.gather(*hung, return_exceptions=True)
    assert all(isinstance(result, httpx.TransportError) for result in results)
    assert asyncio.all_tasks() == before


async def test_stop_ends_predictions_and_webhooks() -> None:
    before = asyncio.all_tasks()
    async with (
        ReplicateApi().serve() as api,
        httpx.AsyncClient(verify=False, headers={"Authorization": "Bearer r8_test"}) as client,
    ):
        asked = {"input": {"prompt": "x"}, "webhook": "http://127.0.0.1:9/", "webhook_events_filter": ["start"]}
        url = f"{api.url}/v1/models/black-forest-labs/flux-schnell/predictions"
        assert (await client.post(url, json=asked)).status_code == 201
        await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before


async def test_killed_server_cuts_everything_and_comes_back_on_its_port() -> None:
    service = {"text-to-image": Service(5.0)}
    async with SubnetGateway(service=service).serve() as subnet, httpx.AsyncClient(verify=False) as client:
        url = f"{subnet.url}/text-to-image"
        lost = asyncio.create_task(client.post(url, json=ASKED))
        await asyncio.sleep(0.05)
        subnet.kill()
        with pytest.raises(httpx.TransportError):
            await lost
        with pytest.raises(httpx.ConnectError):
            await client.post(url, json=ASKED)
        subnet.time_scale = 0.001
        subnet.revive()
        assert (await client.post(url, json=ASKED)).status_code == 200
        assert (subnet.counters.failed, subnet.counters.served) == (1, 1)


def test_several_run_in_the_background_of_a_synchronous_test() -> None:
    subnet, openai = SubnetGateway(time_scale=0.001), OpenAiApi(time_scale=0.001)
    with background(subnet, openai):
        assert httpx.post(f"{subnet.url}/text-to-image", json=ASKED).status_code == 200
        assert httpx.get(f"{openai.url}/v1/models").status_code == 200
        subnet.slots = 0
        assert httpx.post(f"{subnet.url}/text-to-image", json=ASKED).status_code == 503
        subnet.kill()
        with pytest.raises(httpx.ConnectError):
            httpx.get(subnet.url)
        subnet.revive()
        assert httpx.get(f"{subnet.url}/_simulator").status_code == 200
        subnet.outage()
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{subnet.url}/text-to-image", json=ASKED)


async def test_state_is_shown_and_changed_over_http() -> None:
    gateway = SubnetGateway(slots=1, time_scale=0.001)
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False, base_url=subnet.url) as client:
        await client.post("/text-to-image", json=ASKED)
        state = (await client.get("/_simulator")).json()
        assert (state["slots"], state["counters"]["served"], state["by"]["text-to-image"]["tries"]) == (1, 1, 1)
        assert (state["requests"][-1]["json"], state["requests"][-1]["outcome"]) == (ASKED, "served")
        faults = [{"kind": "status", "status": 500, "times": 1}]
        changed = await client.patch("/_simulator", json={"slots": {"llm": 2}, "time_scale": 0.5, "faults": faults})
        assert (changed.status_code, subnet.slots, subnet.time_scale) == (200, {"llm": 2}, 0.5)
        assert changed.json()["faults"] == [{"kind": "status", "status": 500, "times": 1, "struck": 0}]
        await client.patch("/_simulator", json={"outage": True})
        assert subnet.down
        for wrong in ({"speed": 3}, {"faults": [{"kind": "explode"}]}, {"slots": "many"}):
            assert (await client.patch("/_simulator", json=wrong)).status_code == 400


async def test_canceled_requests_are_told_from_failed_ones() -> None:
    async with (
        SubnetGateway(service={"text-to-image": Service(9.0)}).serve() as subnet,
        httpx.AsyncClient(verify=False) as client,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{subnet.url}/text-to-image", json=ASKED, timeout=0.05)
        subnet.faults.add("reset", times=1)
        with pytest.raises(httpx.ReadError):
            await client.post(f"{subnet.url}/text-to-image", json=ASKED)
        await asyncio.sleep(0.02)
        assert [entry.outcome for entry in subnet.requests] == ["canceled", "failed"]


def test_url_of_what_is_not_started_is_an_error_that_helps() -> None:
    with pytest.raises(RuntimeError, match="subnet isn't started"):
        _ = SubnetGateway().url


def test_processes_say_where_they_listen_and_end_on_sigterm() -> None:
    kinds = ["subnet", "replicate", "openai"]
    line = [sys.executable, "-m", "simulator", "--time-scale", "0.01", "--fault", '{"kind":"reset","times":1}']
    environment = {**os.environ, "PYTHONPATH": INFRA}
    processes = [subprocess.Popen([*line, kind], stdout=subprocess.PIPE, text=True, env=environment) for kind in kinds]
    for kind, process in zip(kinds, processes, strict=True):
        with process:
            url = json.loads(process.stdout.readline())["url"]
            assert httpx.get(f"{url}/_simulator").json()["name"] == kind
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
