"""Facts of the simulated Replicate, which are those of its documentation."""

import asyncio
import base64
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web
from PIL import Image
from replicate.webhook import Webhooks, WebhookSigningSecret

from simulator import Fault, ReplicateApi, media
from simulator.catalogue import Deployment

# Its clock runs fast, so that a busy machine makes it late.
pytestmark = pytest.mark.alone

MODELS: dict[str, Any] = {
    "acme/paint": {
        "version": None,
        "official": True,
        "output": "image[]",
        "input": {
            "prompt": {"type": "string", "required": True},
            "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
            "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9"], "default": "1:1"},
            "guidance": {"type": "number", "minimum": 0, "maximum": 10},
            "output_format": {"type": "string", "enum": ["webp", "png"], "default": "png"},
            "seed": {"type": "integer"},
        },
    },
    "acme/grow": {"version": "a" * 64, "official": False, "output": "image",
                  "input": {"image": {"type": "file", "required": True}, "scale": {"type": "number", "default": 2}}},
    "acme/talk": {"version": None, "official": True, "output": "text[]",
                  "input": {"prompt": {"type": "string", "required": True}, "max_tokens": {"type": "integer"}}},
    "acme/cut": {"version": "b" * 64, "official": False, "output": "json",
                 "input": {"image": {"type": "file", "required": True}},
                 "example_output": {"individual_masks": ["https://x/0.png", "https://x/1.png"], "note": "plain"}},
    "acme/film": {"version": None, "official": True, "output": "video", "input": {"prompt": {"type": "string"}}},
    "acme/sing": {"version": None, "official": True, "output": "audio", "input": {"prompt": {"type": "string"}}},
}  # fmt: skip
AUTH = {"Authorization": "Bearer r8_test"}
PAINT = "/v1/models/acme/paint/predictions"
TALK = "/v1/models/acme/talk/predictions"
PROMPT = {"input": {"prompt": "a heron"}}
URI = "data:image/png;base64," + base64.b64encode(media.picture(96, 64, 1)).decode()


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[tuple[ReplicateApi, httpx.AsyncClient]]:
    settings = {"models": MODELS, "time_scale": 0.005, "cold_start_s": 2.0, **options}
    async with (
        ReplicateApi(**settings).serve() as api,
        httpx.AsyncClient(verify=False, base_url=api.url, headers=AUTH) as client,
    ):
        yield api, client


@pytest.fixture
async def pair() -> AsyncIterator[tuple[ReplicateApi, httpx.AsyncClient]]:
    async with running() as both:
        yield both


async def run(client: httpx.AsyncClient, path: str, asked: Any, **headers: str) -> dict[str, Any]:
    answer = await client.post(path, json=asked, headers={"Prefer": "wait", **headers})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_prediction_is_polled_to_its_end(pair: Any) -> None:
    _, client = pair
    answer = await client.post(PAINT, json=PROMPT)
    assert (answer.status_code, answer.json()["status"], answer.json()["output"]) == (201, "starting", None)
    seen = []
    while seen[-1:] != ["succeeded"]:
        seen.append((await client.get(answer.json()["urls"]["get"])).json()["status"])
    assert set(seen) == {"processing", "succeeded"}


async def test_waiting_brings_the_output_at_once(pair: Any) -> None:
    _, client = pair
    done = await run(client, PAINT, {"input": {"prompt": "x", "num_outputs": 2, "aspect_ratio": "16:9", "seed": 4}})
    assert done["status"] == "succeeded"
    assert 4.0 <= done["metrics"]["predict_time"] < 40.0
    files = [await client.get(url) for url in done["output"]]
    assert [Image.open(io.BytesIO(file.content)).size for file in files] == [(912, 512)] * 2
    assert files[0].content != files[1].content


async def test_short_wait_answers_202_before_the_end(pair: Any) -> None:
    _, client = pair
    answer = await client.post(PAINT, json=PROMPT, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")


async def test_wait_may_answer_while_still_processing() -> None:
    async with running(early_wait=True) as (_, client):
        done = await run(client, PAINT, PROMPT)
        assert (done["status"], len(done["output"])) == ("processing", 1)


@pytest.mark.parametrize("header", [None, "Bearer wrong", "r8_test"])
async def test_wrong_token_is_401_in_replicates_shape(pair: Any, header: str | None) -> None:
    api, _ = pair
    async with httpx.AsyncClient(verify=False) as client:
        answer = await client.get(f"{api.url}/v1/account", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.json().keys() == {"title", "detail", "status"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "- input: prompt is required"),
        ({"prompt": 3}, "- input.prompt: Invalid type. Expected: string, given: integer"),
        ({"prompt": "x", "num_outputs": 5}, "- input.num_outputs: Must be less than or equal to 4"),
        ({"prompt": "x", "guidance": -1}, "- input.guidance: Must be greater than or equal to 0"),
        ({"prompt": "x", "num_outputs": True}, "- input.num_outputs: Invalid type. Expected: integer, given: boolean"),
        ({"prompt": "x", "seed": None}, "- input.seed: Invalid type. Expected: integer, given: null"),
        ({"prompt": "x", "aspect_ratio": "2:1"}, '- input.aspect_ratio: Must be one of the following: "1:1", "16:9"'),
        ({"prompt": "x", "steps": 4}, "- input: Additional property steps is not allowed"),
    ],
)
async def test_bad_input_is_422(pair: Any, given: Any, complaint: str) -> None:
    api, client = pair
    answer = await client.post(PAINT, json={"input": given})
    assert (answer.status_code, answer.json()["detail"]) == (422, complaint + "\n")
    assert answer.json()["title"] == "Input validation failed"
    assert not api.predictions


async def test_unknown_names_pass_where_it_is_lax_as_the_real_one() -> None:
    async with running(strict=False) as (_, client):
        await run(client, PAINT, {"input": {"prompt": "x", "steps": 4}})


async def test_community_models_are_run_by_version_only(pair: Any) -> None:
    _, client = pair
    asked = {"input": {"image": URI}}
    assert (await client.post("/v1/models/acme/grow/predictions", json=asked)).status_code == 404
    for version in ("a" * 64, "acme/grow:" + "a" * 64):
        done = await run(client, "/v1/predictions", {"version": version, **asked})
        file = await client.get(done["output"])
        assert Image.open(io.BytesIO(file.content)).size == (192, 128)
    unknown = await client.post("/v1/predictions", json={"version": "c" * 64, **asked})
    assert (unknown.status_code, unknown.json()["title"]) == (422, "Invalid version or not permitted")


async def test_masks_are_files_as_big_as_the_input(pair: Any) -> None:
    _, client = pair
    output = (await run(client, "/v1/predictions", {"version": "b" * 64, "input": {"image": URI}}))["output"]
    sizes = [Image.open(io.BytesIO((await client.get(url)).content)).size for url in output["individual_masks"]]
    assert (sizes, output["note"]) == ([(96, 64)] * 2, "plain")


@pytest.mark.parametrize(("model", "kind"), [("film", "video/mp4"), ("sing", "audio/wav")])
async def test_films_and_songs_are_one_file(pair: Any, model: str, kind: str) -> None:
    _, client = pair
    done = await run(client, f"/v1/models/acme/{model}/predictions", PROMPT)
    assert (await client.get(done["output"])).headers["content-type"] == kind


async def test_words_stream_as_events_and_end_with_done(pair: Any) -> None:
    _, client = pair
    prediction = (await client.post(TALK, json={**PROMPT, "stream": True})).json()
    text = (await client.get(prediction["urls"]["stream"])).text
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.strip().split("\n\n")]
    assert [event["event"] for event in events] == ["output"] * (len(events) - 1) + ["done"]
    done = (await client.get(prediction["urls"]["get"])).json()
    assert "".join(done["output"]) == "".join(event["data"] for event in events[:-1])
    assert done["metrics"]["output_token_count"] == len(done["output"])


async def test_broken_streams_never_say_done(pair: Any) -> None:
    api, client = pair
    for kind in ("clean_cut", "no_end_marker", "cut"):
        api.faults.add(kind, "/v1/streams/", times=1)
    said = []
    for _ in range(2):
        url = (await client.post(TALK, json=PROMPT)).json()["urls"]["stream"]
        said.append((await client.get(url)).text)
    assert all("event: done" not in text for text in said)
    assert said[0].count("event: output") == 3 < said[1].count("event: output")
    with pytest.raises(httpx.ReadError):
        await client.get((await client.post(TALK, json=PROMPT)).json()["urls"]["stream"])


async def test_failed_prediction_streams_its_error(pair: Any) -> None:
    api, client = pair
    api.faults.add("failed", times=1, message="boom")
    text = (await client.get((await client.post(TALK, json=PROMPT)).json()["urls"]["stream"])).text
    assert "event: error\nid:" in text
    assert '{"detail": "boom"}' in text
    assert text.endswith('data: {"reason": "error"}\n\n')


async def test_cancelling_what_runs_is_billed_and_what_waits_is_not() -> None:
    async with running(prices={"acme/paint": 0.5, "acme/grow": 0.25}, time_scale=1.0) as (api, client):
        runs = (await client.post(PAINT, json=PROMPT)).json()
        waits = (await client.post("/v1/predictions", json={"version": "a" * 64, "input": {"image": URI}})).json()
        await asyncio.sleep(0.02)
        ended = [(await client.post(entry["urls"]["cancel"])).json()["status"] for entry in (runs, waits)]
        assert ended == ["canceled", "aborted"]
        assert api.billed_usd == 0.5


async def test_cancel_after_ends_what_takes_too_long() -> None:
    # Five seconds, the least that can be asked for, are real ones however fast the world goes.
    async with running(service_s=2000.0, early_wait=False) as (api, client):
        begun = await client.post(PAINT, json=PROMPT, headers={"Cancel-After": "5s"})
        await asyncio.sleep(5.2)
        assert (await client.get(begun.json()["urls"]["get"])).json()["status"] == "canceled"
        assert (await client.post(PAINT, json=PROMPT, headers={"Cancel-After": "2s"})).status_code == 422
        api.faults.add("aborted", times=1)
        assert (await run(client, PAINT, PROMPT))["status"] == "aborted"


@pytest.mark.parametrize(("kind", "error"), [("failed", "CUDA out of memory"), ("nsfw", "NSFW content detected")])
async def test_failed_predictions_say_why(pair: Any, kind: str, error: str) -> None:
    api, client = pair
    api.faults.add(kind, times=1)
    done = await run(client, PAINT, PROMPT)
    assert (done["status"], done["output"]) == ("failed", None)
    assert error in done["error"]
    assert api.billed_usd == 0


async def test_problems_are_in_replicates_shape(pair: Any) -> None:
    api, client = pair
    api.faults.add("status", status=429, retry_after=3, times=1)
    throttled = await client.post(PAINT, json=PROMPT)
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "3")
    api.faults.add("status", status=402, times=1)
    assert (await client.post(PAINT, json=PROMPT)).json()["title"] == "Insufficient credit"


async def test_faults_of_jobs_are_not_used_up_by_polling(pair: Any) -> None:
    api, client = pair
    api.faults.add("failed", times=1)
    await client.get("/v1/account")
    assert (await run(client, PAINT, PROMPT))["status"] == "failed"


async def test_lost_answer_leaves_a_prediction_that_is_paid_for() -> None:
    async with running(prices=0.5, faults=[Fault("cut", times=1)]) as (api, client):
        with pytest.raises(httpx.ReadError):
            await client.post(PAINT, json=PROMPT)
        await asyncio.sleep(0.1)
        assert (len(api.predictions), api.billed_usd) == (1, 0.5)


async def test_broken_output_files(pair: Any) -> None:
    api, client = pair
    api.faults.add("truncated_media", times=1)
    api.faults.add("missing_media", times=1)
    cut, missing = [(await run(client, PAINT, PROMPT))["output"][0] for _ in range(2)]
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO((await client.get(cut)).content)).load()
    assert (await client.get(missing)).status_code == 404


@pytest.mark.alone
async def test_everything_is_removed_after_an_hour() -> None:
    async with running(time_scale=0.0003, service_s=1.0) as (_, client):
        done = (await client.post(PAINT, json=PROMPT)).json()
        while done["status"] != "succeeded":
            await asyncio.sleep(0.01)
            done = (await client.get(done["urls"]["get"])).json()
        assert (await client.get(done["output"][0])).status_code == 200
        await asyncio.sleep(1.2)
        assert (await client.get(done["output"][0])).status_code == 404
        later = (await client.get(done["urls"]["get"])).json()
        assert (later["data_removed"], later["output"], later["input"]) == (True, None, {})


async def test_idle_instances_go_cold_after_a_minute() -> None:
    asked = {"version": "a" * 64, "input": {"image": URI}}
    async with running(time_scale=0.004, cold_start_s=30.0, service_s=0.5) as (api, client):
        await run(client, "/v1/predictions", asked)
        await run(client, "/v1/predictions", asked)
        fleet = api.catalogue.fleet("acme/grow")
        assert (fleet.cold_starts, api.instances("acme/grow")) == (1, 1)
        await asyncio.sleep(0.3)
        assert api.instances("acme/grow") == 0
        await run(client, "/v1/predictions", asked)
        assert fleet.cold_starts == 2


async def test_deployment_keeps_instances_warm_and_bills_them() -> None:
    deployments = {"acme/mine": Deployment("acme/paint", min_instances=1)}
    async with running(deployments=deployments, time_scale=0.01, usd_per_warm_second=1.0) as (api, client):
        began = time.perf_counter()
        done = await run(client, "/v1/deployments/acme/mine/predictions", PROMPT)
        assert time.perf_counter() - began < 0.2
        assert done["deployment"] == "acme/mine"
        await asyncio.sleep(0.1)
        assert api.instances("acme/mine") == 1
        assert api.billed_usd > 5


async def test_deployment_is_patched_as_a_new_release() -> None:
    async with running(deployments={"acme/mine": "acme/paint"}) as (api, client):
        path = "/v1/deployments/acme/mine"
        assert (await client.get(path)).json()["current_release"]["number"] == 1
        release = (await client.patch(path, json={"min_instances": 2, "max_instances": 3})).json()["current_release"]
        assert release["number"] == 2
        assert release["configuration"] == {"hardware": "gpu-l40s", "min_instances": 2, "max_instances": 3}
        assert api.instances("acme/mine") == 2
        assert (await client.patch(path, json={"min_instances": 4})).status_code == 422
        assert (await client.get("/v1/deployments/acme/other")).status_code == 404


async def test_deployment_runs_no_more_than_its_most_at_once() -> None:
    deployments = {"acme/mine": Deployment("acme/paint", min_instances=1, max_instances=1)}
    async with running(deployments=deployments, service_s=10.0) as (_, client):
        began = time.perf_counter()
        await asyncio.gather(*(run(client, "/v1/deployments/acme/mine/predictions", PROMPT) for _ in range(3)))
        assert time.perf_counter() - began > 0.145


@asynccontextmanager
async def receiver(statuses: list[int]) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], str]]]]:
    """Takes webhooks, answering these statuses and then 200."""
    got: list[tuple[dict[str, str], str]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.text()))
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site.port}/hook", got
    finally:
        await runner.cleanup()


async def test_webhooks_are_signed_as_the_official_client_checks(pair: Any) -> None:
    _, client = pair
    key = (await client.get("/v1/webhooks/default/secret")).json()["key"]
    async with receiver([]) as (url, got):
        await run(client, PAINT, {**PROMPT, "webhook": url, "webhook_events_filter": ["start", "completed"]})
        await asyncio.sleep(0.1)
    assert [json.loads(body)["status"] for _, body in got] == ["processing", "succeeded"]
    for headers, body in got:
        Webhooks.validate(headers=headers, body=body, secret=WebhookSigningSecret(key=key), tolerance=5)


async def test_completed_webhook_is_sent_again_until_it_is_taken(pair: Any) -> None:
    api, client = pair
    async with receiver([500, 503]) as (url, got):
        await run(client, PAINT, {**PROMPT, "webhook": url, "webhook_events_filter": ["completed"]})
        await asyncio.sleep(0.3)
    assert len(got) == 3
    assert [delivery.status for delivery in api.webhooks.deliveries] == [500, 503, 200]
    assert len({headers["webhook-id"] for headers, _ in got}) == 1


async def test_webhooks_can_be_lost_or_come_twice(pair: Any) -> None:
    api, client = pair
    async with receiver([]) as (url, got):
        for kind, times in (("webhook_lost", 0), ("webhook_twice", 2)):
            got.clear()
            api.faults.add(kind, times=1)
            await run(client, PAINT, {**PROMPT, "webhook": url, "webhook_events_filter": ["completed"]})
            await asyncio.sleep(0.1)
            assert len(got) == times


async def test_outage_fails_what_runs() -> None:
    async with running(service_s=100.0) as (api, client):
        await client.post(PAINT, json=PROMPT)
        await asyncio.sleep(0.02)
        api.outage()
        assert [prediction.status for prediction in api.predictions.values()] == ["failed"]
