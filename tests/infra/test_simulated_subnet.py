"""Facts of the simulated gateway, which are go-livepeer's own."""

import asyncio
import hashlib
import io
import json
import re
import time
from collections.abc import AsyncIterator

import av
import httpx
import pytest
from PIL import Image

from simulator import Fault, Service, SubnetGateway, media

ASKED = {"prompt": "a heron", "model_id": "stabilityai/sdxl-turbo"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True, "max_tokens": 64}
PNG = media.picture(96, 64, 1)


@pytest.fixture
async def subnet() -> AsyncIterator[SubnetGateway]:
    async with SubnetGateway(slots=2, time_scale=0.01).serve() as running:
        yield running


@pytest.fixture
async def client(subnet: SubnetGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=False, base_url=subnet.url, timeout=5) as session:
        yield session


async def chat(client: httpx.AsyncClient) -> str:
    body = b""
    async with client.stream("POST", "/llm", json=CHAT) as answer:
        async for piece in answer.aiter_raw():
            body += piece
    return body.decode()


async def test_pictures_have_relative_urls_that_serve_the_size_asked(client: httpx.AsyncClient) -> None:
    answer = await client.post("/text-to-image", json={**ASKED, "width": 320, "height": 192})
    [image] = answer.json()["images"]
    assert re.fullmatch(r"/stream/[0-9a-f]{8}/[0-9a-f]{8}\.png", image["url"])
    file = await client.get(image["url"])
    assert file.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(file.content)).size == (320, 192)


async def test_equal_seed_gives_the_same_picture_and_seeds_count_up(client: httpx.AsyncClient) -> None:
    asked = {**ASKED, "seed": 5, "num_images_per_prompt": 2}
    first, second = [(await client.post("/text-to-image", json=asked)).json()["images"] for _ in range(2)]
    assert [image["seed"] for image in first] == [5, 6]
    pictures = [(await client.get(image["url"])).content for image in [*first, *second]]
    assert pictures[:2] == pictures[2:]
    assert pictures[0] != pictures[1]


async def test_pictures_of_one_request_are_made_one_after_the_other() -> None:
    service = {"text-to-image": Service(10.0)}
    async with (
        SubnetGateway(service=service, time_scale=0.01).serve() as subnet,
        httpx.AsyncClient(verify=False) as client,
    ):
        began = time.perf_counter()
        await client.post(f"{subnet.url}/text-to-image", json={**ASKED, "num_images_per_prompt": 3})
        assert time.perf_counter() - began >= 0.3


async def test_full_subnet_refuses_after_its_retry_window() -> None:
    async with SubnetGateway(slots=0, time_scale=0.05).serve() as subnet, httpx.AsyncClient(verify=False) as client:
        began = time.perf_counter()
        answer = await client.post(f"{subnet.url}/text-to-image", json=ASKED)
        assert (answer.status_code, answer.json()) == (503, {"error": {"message": "Service Unavailable Error"}})
        assert time.perf_counter() - began == pytest.approx(0.1, abs=0.08)
        assert (subnet.counters.tries, subnet.counters.refused, subnet.counters.failed) == (1, 1, 0)


async def test_slot_freed_within_the_retry_window_is_taken() -> None:
    service = {"text-to-image": Service(1.0)}
    async with (
        SubnetGateway(1, service=service, time_scale=0.05).serve() as subnet,
        httpx.AsyncClient(verify=False) as client,
    ):
        posts = [client.post(f"{subnet.url}/text-to-image", json=ASKED) for _ in range(2)]
        assert [answer.status_code for answer in await asyncio.gather(*posts)] == [200, 200]
        assert subnet.counters.max_in_flight == 1


async def test_master_closes_without_a_byte_when_there_is_no_capacity() -> None:
    async with SubnetGateway(0, master_panics=True).serve() as subnet, httpx.AsyncClient(verify=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(f"{subnet.url}/text-to-image", json=ASKED)
        assert subnet.counters.refused == 1


@pytest.mark.parametrize("path", ["/text-to-image", "/image-to-video"])
async def test_missing_model_id_brings_the_nil_panic(client: httpx.AsyncClient, path: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(
            path, **({"json": {"prompt": "x"}} if path == "/text-to-image" else {"files": {"image": PNG}})
        )


async def test_missing_model_id_is_taken_for_the_default_where_the_panic_is_off() -> None:
    gateway = SubnetGateway(time_scale=0.001, panics_without_model=False)
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False) as client:
        assert (await client.post(f"{subnet.url}/text-to-image", json={"prompt": "x"})).status_code == 200


@pytest.mark.parametrize(
    ("path", "sent", "message"),
    [
        ("/text-to-image", {"json": {"model_id": "m"}}, "prompt field is required"),
        ("/text-to-image", {"content": b""}, "EOF"),
        ("/text-to-image", {"content": b"prompt=x"}, "invalid character 'p' looking for beginning of value"),
        ("/text-to-image", {"json": {**ASKED, "width": "wide"}},
         "json: cannot unmarshal string into Go struct field width of type int"),
        ("/text-to-speech", {"json": {"model_id": "m"}}, "text field is required"),
        ("/llm", {"json": {"messages": CHAT["messages"], "model": "m"}}, "missing required fields"),
        ("/image-to-image", {"json": ASKED}, "request Content-Type isn't multipart/form-data"),
        ("/audio-to-text", {"data": {"model_id": "m"}, "files": {"audio": b"not a sound"}},
         "audio duration calculation failed"),
    ],
)  # fmt: skip
async def test_bad_requests_keep_their_messages(client: httpx.AsyncClient, path: str, sent: dict, message: str) -> None:
    answer = await client.post(path, **sent)
    assert (answer.status_code, answer.json()) == (400, {"error": {"message": message}})


async def test_undecodable_picture_looks_like_missing_capacity(client: httpx.AsyncClient) -> None:
    answer = await client.post("/upscale", data=ASKED, files={"image": ("a.png", b"nothing", "image/png")})
    assert answer.status_code == 503


async def test_wrong_method_gets_an_empty_200(client: httpx.AsyncClient) -> None:
    answer = await client.get("/text-to-image")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_runner_errors_are_mapped_as_the_gateway_does(client: httpx.AsyncClient, subnet: SubnetGateway) -> None:
    subnet.faults.add("runner", status=400, message="width must be divisible by 8", times=2)
    subnet.faults.add("runner", status=422, times=1)
    said = [await client.post("/text-to-image", json=ASKED), await client.post("/llm", json=CHAT),
            await client.post("/text-to-image", json=ASKED)]  # fmt: skip
    assert [(answer.status_code, answer.json()["error"]["message"]) for answer in said] == [
        (400, "width must be divisible by 8"), (500, "Internal Server Error"), (503, "Service Unavailable Error"),
    ]  # fmt: skip


async def test_parts_of_a_form_are_recorded(client: httpx.AsyncClient, subnet: SubnetGateway) -> None:
    answer = await client.post(
        "/image-to-image", data={**ASKED, "seed": "9"}, files={"image": ("h.png", PNG, "image/png")}
    )
    assert answer.json()["images"][0]["seed"] == 9
    entry = subnet.requests[-1]
    assert entry.fields == {**ASKED, "seed": "9"}
    part = entry.file("image")
    assert part is not None
    assert (part.filename, part.content_type, part.sha256) == ("h.png", "image/png", hashlib.sha256(PNG).hexdigest())


@pytest.mark.parametrize(("path", "size"), [("/image-to-image", (96, 64)), ("/upscale", (384, 256))])
async def test_results_are_as_big_as_the_input_wants(
    client: httpx.AsyncClient, path: str, size: tuple[int, int]
) -> None:
    answer = await client.post(path, data=ASKED, files={"image": ("h.png", PNG, "image/png")})
    file = await client.get(answer.json()["images"][0]["url"])
    assert Image.open(io.BytesIO(file.content)).size == size


async def test_video_is_a_real_one(client: httpx.AsyncClient) -> None:
    asked = {"model_id": "m", "width": "320", "height": "192"}
    answer = await client.post("/image-to-video", data=asked, files={"image": ("h.png", PNG, "image/png")})
    file = await client.get(answer.json()["images"][0]["url"])
    assert file.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(file.content)) as container:
        assert container.streams.video[0].width == 320


async def test_stream_ends_with_a_finish_reason_and_no_done(client: httpx.AsyncClient) -> None:
    chunks = [json.loads(line[6:]) for line in (await chat(client)).split("\n\n") if line]
    assert [chunk["choices"][0].get("finish_reason") for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]


async def test_done_follows_where_it_is_wanted() -> None:
    gateway = SubnetGateway(time_scale=0.001, finish_done=True)
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False, base_url=subnet.url) as client:
        assert (await chat(client)).endswith("data: [DONE]\n\n")


async def test_short_limit_is_told_as_length(client: httpx.AsyncClient) -> None:
    answer = await client.post("/llm", json={**CHAT, "stream": False, "max_tokens": 3})
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert answer.json()["usage"]["completion_tokens"] == 3


async def test_absolute_urls_where_an_object_store_is_configured() -> None:
    async with (
        SubnetGateway(time_scale=0.001, media="absolute").serve() as subnet,
        httpx.AsyncClient(verify=False) as client,
    ):
        answer = await client.post(f"{subnet.url}/text-to-speech", json={"text": "hello", "model_id": "m"})
        assert answer.json()["audio"]["url"].startswith(f"{subnet.url}/stream/")


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("close", httpx.RemoteProtocolError),
        ("reset", httpx.ReadError),
        ("cut", httpx.ReadError),
        ("hang", httpx.ReadTimeout),
        ("stall", httpx.ReadTimeout),
    ],
)
async def test_broken_connections(client: httpx.AsyncClient, subnet: SubnetGateway, kind: str, seen: type) -> None:
    subnet.faults.add(kind, times=1)
    with pytest.raises(seen):
        await client.post("/text-to-image", json=ASKED, timeout=0.15)


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("empty", 200, ""),
        ("not_json", 200, "<html>"),
        ("no_images", 200, '{"images":[]}'),
        ("nsfw", 200, '{"images":[{"nsfw":true'),
        ("error", 500, '{"error":{"message":"Internal Server Error"}}'),
        ("refuse", 503, '{"error":{"message":"Service Unavailable Error"}}'),
        ("clean_cut", 200, '{"images":[{"nsfw":false'),
        ("slow_first_byte", 200, '{"images":'),
    ],
)
async def test_broken_answers(
    client: httpx.AsyncClient, subnet: SubnetGateway, kind: str, status: int, body: str
) -> None:
    subnet.faults.add(kind, times=1)
    answer = await client.post("/text-to-image", json=ASKED)
    assert (answer.status_code, answer.text[: len(body)]) == (status, body)


async def test_status_fault_brings_retry_after_and_a_raw_body(client: httpx.AsyncClient, subnet: SubnetGateway) -> None:
    subnet.faults.add("status", status=429, retry_after=2, message="slow down", times=1)
    answer = await client.post("/text-to-image", json=ASKED)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json() == {"error": {"message": "slow down"}}
    subnet.faults.add("status", status=502, body="<h1>Bad Gateway</h1>", times=1)
    assert (await client.post("/text-to-image", json=ASKED)).text == "<h1>Bad Gateway</h1>"


async def test_broken_streams(client: httpx.AsyncClient, subnet: SubnetGateway) -> None:
    for kind in ("cut", "clean_cut", "no_end_marker", "malformed_chunk"):
        subnet.faults.add(kind, times=1)
    with pytest.raises(httpx.ReadError):
        await chat(client)
    early, unended, rubbish, whole = [await chat(client) for _ in range(4)]
    assert early.count("data: ") < unended.count("data: ") == whole.count("data: ") - 1
    assert "finish_reason" not in early + unended
    assert "half a li\n\n" in rubbish
    assert "finish_reason" in rubbish


@pytest.mark.parametrize(("kind", "status", "whole"), [("truncated_media", 200, False), ("missing_media", 404, False),
                                                       ("wrong_media", 200, False)])  # fmt: skip
async def test_broken_media(
    client: httpx.AsyncClient, subnet: SubnetGateway, kind: str, status: int, whole: bool
) -> None:
    subnet.faults.add(kind, times=1)
    url = (await client.post("/text-to-image", json=ASKED)).json()["images"][0]["url"]
    file = await client.get(url)
    assert file.status_code == status
    if status == 200:
        assert file.headers["content-type"] == "image/png"
        assert int(file.headers["content-length"]) == len(file.content)
    with pytest.raises(OSError, match=r"identify|truncated"):
        Image.open(io.BytesIO(file.content)).load()


async def test_downloads_can_be_hit_by_their_path(client: httpx.AsyncClient, subnet: SubnetGateway) -> None:
    url = (await client.post("/text-to-image", json=ASKED)).json()["images"][0]["url"]
    subnet.faults.add("cut", "/stream/", times=1)
    with pytest.raises(httpx.ReadError):
        await client.get(url)
    assert (await client.get(url)).status_code == 200


async def test_hung_job_keeps_its_slot_when_its_client_has_gone() -> None:
    gateway = SubnetGateway(1, time_scale=0.002, faults=[Fault("hang", times=1)])
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False, base_url=subnet.url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/text-to-image", json=ASKED, timeout=0.05)
        assert (await client.post("/text-to-image", json=ASKED)).status_code == 503
        await asyncio.sleep(0.3)
        assert (await client.post("/text-to-image", json=ASKED)).status_code == 200


async def test_client_that_leaves_frees_its_slot() -> None:
    gateway = SubnetGateway(1, service={"text-to-image": Service(60.0)})
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False, base_url=subnet.url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/text-to-image", json=ASKED, timeout=0.05)
        await asyncio.sleep(0.05)
        assert subnet.free("text-to-image") == 1
        assert (subnet.counters.canceled, subnet.counters.in_flight) == (1, 0)


async def test_slots_change_at_run_time_and_jobs_in_flight_run_on() -> None:
    gateway = SubnetGateway(2, service={"text-to-image": Service(5.0)}, time_scale=0.02)
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False, base_url=subnet.url) as client:
        posts = [asyncio.create_task(client.post("/text-to-image", json=ASKED)) for _ in range(2)]
        await asyncio.sleep(0.05)
        subnet.slots = 0
        refused = await client.post("/text-to-image", json=ASKED)
        assert refused.status_code == 503
        assert [answer.status_code for answer in await asyncio.gather(*posts)] == [200, 200]


async def test_outage_loses_jobs_in_flight_and_answers_nothing_until_it_ends() -> None:
    gateway = SubnetGateway(2, service={"text-to-image": Service(2.0)}, time_scale=0.1)
    async with gateway.serve() as subnet, httpx.AsyncClient(verify=False, base_url=subnet.url) as client:
        lost = asyncio.create_task(client.post("/text-to-image", json=ASKED))
        await asyncio.sleep(0.05)
        subnet.outage()
        with pytest.raises(httpx.RemoteProtocolError):
            await lost
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/text-to-image", json=ASKED)
        subnet.recover()
        assert (await client.post("/text-to-image", json=ASKED)).status_code == 200
        assert (subnet.counters.failed, subnet.counters.served) == (2, 1)


async def test_models_that_nobody_serves_are_refused() -> None:
    async with (
        SubnetGateway(models=["known"], time_scale=0.001).serve() as subnet,
        httpx.AsyncClient(verify=False) as client,
    ):
        asked = [{"prompt": "x", "model_id": model} for model in ("known", "unknown", "")]
        answers = [await client.post(f"{subnet.url}/text-to-image", json=body) for body in asked]
        assert [answer.status_code for answer in answers] == [200, 503, 503]
