"""The official Python SDK takes the simulated gateway for a real one, in all nine pipelines."""

from collections.abc import Iterator
from typing import Any

import pytest
from livepeer_ai import Livepeer
from livepeer_ai.models import components, errors

from simulator import SubnetGateway, background, media

MODEL = "some/model"
PICTURE = {"file_name": "in.png", "content": media.picture(64, 64, 1), "content_type": "image/png"}
SOUND = {"file_name": "in.mp3", "content": media.mp3(1), "content_type": "audio/mpeg"}


@pytest.fixture(scope="module")
def subnet() -> Iterator[SubnetGateway]:
    gateway = SubnetGateway(time_scale=0.001)
    with background(gateway):
        yield gateway


@pytest.fixture
def generate(subnet: SubnetGateway) -> Iterator[Any]:
    with Livepeer(http_bearer="any", server_url=subnet.url, timeout_ms=10_000) as livepeer:
        yield livepeer.generate


@pytest.mark.parametrize(
    ("pipeline", "request_", "answer", "kind"),
    [
        ("text_to_image", {"prompt": "x", "model_id": MODEL, "seed": 4}, "image_response", "ImageResponse"),
        ("image_to_image", {"prompt": "x", "image": PICTURE, "model_id": MODEL}, "image_response", "ImageResponse"),
        ("image_to_video", {"image": PICTURE, "model_id": MODEL}, "video_response", "VideoResponse"),
        ("upscale", {"prompt": "x", "image": PICTURE, "model_id": MODEL}, "image_response", "ImageResponse"),
        ("audio_to_text", {"audio": SOUND, "model_id": MODEL}, "text_response", "TextResponse"),
        ("segment_anything2", {"image": PICTURE, "model_id": MODEL}, "masks_response", "MasksResponse"),
        ("image_to_text", {"image": PICTURE, "model_id": MODEL}, "image_to_text_response", "ImageToTextResponse"),
        ("text_to_speech", {"text": "hello", "model_id": MODEL}, "audio_response", "AudioResponse"),
        ("llm", {"messages": [{"role": "user", "content": "hi"}], "model": MODEL, "stream": False, "max_tokens": 99},
         "llm_response", "LLMResponse"),
    ],
)  # fmt: skip
def test_sdk_gets_its_own_model_back(generate: Any, pipeline: str, request_: Any, answer: str, kind: str) -> None:
    response = getattr(generate, pipeline)(request=request_)
    assert type(getattr(response, answer)) is getattr(components, kind)


def test_sdk_gets_a_full_subnet_as_its_own_error(generate: Any, subnet: SubnetGateway) -> None:
    subnet.faults.add("status", status=503, times=1)
    with pytest.raises(errors.SDKError, match="Service Unavailable Error"):
        generate.text_to_image(request={"prompt": "x", "model_id": MODEL})
