"""The official Python SDK works by changing its server_url alone, in all nine pipelines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from livepeer_ai import Livepeer
from livepeer_ai.models import errors

from sdk.answers import PIPELINES, check, fetched, size_of
from sdk.conftest import StandIns, front_door
from simulator import background
from simulator.listener import Listener

PROMPT = "a lighthouse at dawn"
TIMEOUT_MS = 20_000


def ask(url: str, pipeline: str, request: Any, **headers: str) -> Any:
    """The SDK's answer to one request."""
    with Livepeer(http_bearer="any", server_url=url, timeout_ms=TIMEOUT_MS) as livepeer:
        method = getattr(livepeer.generate, pipeline.replace("-2", "2").replace("-", "_"))
        return method(request=request, http_headers=headers)


@pytest.fixture(scope="module")
def requests(picture: bytes, sound: bytes) -> dict[str, Any]:
    image = {"file_name": "in.png", "content": picture, "content_type": "image/png"}
    return {
        "text-to-image": {"prompt": PROMPT, "width": 512, "height": 256, "num_images_per_prompt": 2, "seed": 7},
        "image-to-image": {"prompt": PROMPT, "image": image},
        "image-to-video": {"image": image, "width": 256, "height": 144},
        "upscale": {"prompt": PROMPT, "image": image},
        "audio-to-text": {"audio": {"file_name": "in.mp3", "content": sound, "content_type": "audio/mpeg"}},
        "llm": {"messages": [{"role": "user", "content": "What is a spillway?"}]},
        "segment-anything-2": {"image": image, "box": "[4, 4, 60, 60]"},
        "image-to-text": {"image": image},
        "text-to-speech": {"text": "Water over the dam."},
    }


def check_response(response: Any, pipeline: str, url: str) -> None:
    """What went over the wire is whole, and the SDK has read it as its own answer."""
    [answer] = [value for name, value in response if name != "http_meta"]
    assert answer is not None
    wire = response.http_meta.response.json()
    check(pipeline, wire, url, pictures=2 if pipeline == "text-to-image" else 1)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_subnet_answers(free: str, requests: dict[str, Any], pipeline: str) -> None:
    response = ask(free, pipeline, requests[pipeline])
    assert response.http_meta.response.headers["x-spillway-served-by"] == "subnet"
    check_response(response, pipeline, free)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_full_subnet_is_answered_by_hosted_inference(
    full: str, requests: dict[str, Any], stand_ins: StandIns, pipeline: str
) -> None:
    response = ask(full, pipeline, requests[pipeline])
    assert {entry.status for entry in stand_ins.full_subnet.requests if entry.path == f"/{pipeline}"} == {503}
    assert response.http_meta.response.headers["x-spillway-served-by"] == "replicate"
    check_response(response, pipeline, full)


@pytest.mark.parametrize("where", ["free", "full"])
def test_picture_has_the_size_and_the_seed_that_were_asked_for(
    where: str, requests: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(where)
    images = ask(url, "text-to-image", requests["text-to-image"]).image_response.images
    assert [image.seed for image in images] == [7, 8]
    assert [size_of(fetched(image.url, url)) for image in images] == [(512, 256)] * 2


def test_missing_prompt_is_the_sdk_s_own_error(free: str) -> None:
    with pytest.raises(errors.HTTPError) as raised:
        ask(free, "text-to-image", {"prompt": ""})
    assert raised.value.data.detail.msg == "prompt is required and must not be empty"


def test_empty_file_is_the_sdk_s_own_error(free: str) -> None:
    with pytest.raises(errors.HTTPError) as raised:
        ask(free, "image-to-text", {"image": {"file_name": "in.png", "content": b""}})
    assert raised.value.data.detail.msg == "image is an empty file"


def test_gateway_s_own_refusal_is_the_sdk_s_own_error(free: str) -> None:
    with pytest.raises(errors.HTTPError) as raised:
        ask(free, "audio-to-text", {"audio": {"file_name": "in.mp3", "content": b"no sound"}})
    assert raised.value.data.detail.msg == "audio duration calculation failed"


def test_full_subnet_without_hosted_inference_is_the_sdk_s_own_error(full: str) -> None:
    with pytest.raises(errors.SDKError) as raised:
        ask(full, "text-to-image", {"prompt": PROMPT}, **{"X-Spillway-Prefer": "subnet-only"})
    assert raised.value.status_code == 503
    assert raised.value.raw_response is not None
    assert int(raised.value.raw_response.headers["retry-after"]) > 0


class Proxy(Listener):
    """Passes on what comes below /ai; `target` is set once the front door listens."""

    name = "proxy"
    target = ""

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/ai{path:/.*}", self._pass_on)
        return app

    async def _pass_on(self, request: web.Request) -> web.Response:
        sent = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        url, body = self.target + request.match_info["path"], await request.read()
        async with ClientSession() as session, session.request(request.method, url, data=body, headers=sent) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


@pytest.fixture
def below_a_path(stand_ins: StandIns, tmp_path: Path) -> Iterator[str]:
    """Where callers reach a front door that a proxy has below a path of its own."""
    proxy = Proxy()
    with background(proxy):
        url = f"{proxy.url}/ai"
        with front_door(stand_ins, stand_ins.subnet, tmp_path, SPILLWAY_PUBLIC_URL=url) as proxy.target:
            yield url


def test_server_url_may_have_a_path(below_a_path: str, requests: dict[str, Any]) -> None:
    for pipeline in ("text-to-image", "image-to-image"):
        check_response(ask(below_a_path, pipeline, requests[pipeline]), pipeline, below_a_path)
