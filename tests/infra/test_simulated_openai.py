"""The official Python client takes the simulated API for the real one, and its faults are OpenAI's own."""

import base64
import io
from collections.abc import Iterator

import httpx
import openai
import pytest
from PIL import Image

from simulator import OpenAiApi, background

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture
def api() -> Iterator[OpenAiApi]:
    server = OpenAiApi("sk-test", models=["gpt-4o-mini", "dall-e-3"], time_scale=0.001, context_tokens=100)
    with background(server):
        yield server


@pytest.fixture
def client(api: OpenAiApi) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-test", base_url=f"{api.url}/v1", max_retries=0, timeout=5) as session:
        yield session


def test_pictures_come_as_urls_or_as_base64(client: openai.OpenAI) -> None:
    by_url = client.images.generate(model="dall-e-3", prompt="x", n=2, size="256x256")
    assert [httpx.get(image.url).headers["content-type"] for image in by_url.data] == ["image/png"] * 2
    inline = client.images.generate(model="dall-e-3", prompt="x", size="512x256", response_format="b64_json")
    assert Image.open(io.BytesIO(base64.b64decode(inline.data[0].b64_json))).size == (512, 256)


def test_chat_comes_whole(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert answer.choices[0].message.content
    assert (answer.model, answer.choices[0].finish_reason) == ("gpt-4o-mini", "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_streams_with_usage_last(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}))  # fmt: skip
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(chunks) - 3


def test_stream_ends_with_done_and_a_broken_one_does_not(api: OpenAiApi) -> None:
    def said() -> str:
        asked = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True}
        return httpx.post(
            f"{api.url}/v1/chat/completions", json=asked, headers={"Authorization": "Bearer sk-test"}
        ).text

    assert said().endswith("data: [DONE]\n\n")
    for kind in ("clean_cut", "no_end_marker"):
        api.faults.add(kind, times=1)
        broken = said()
        assert "[DONE]" not in broken
        assert '"finish_reason":"stop"' not in broken


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini", "dall-e-3"]
    assert client.models.retrieve("dall-e-3").id == "dall-e-3"


def test_too_long_a_chat_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "long " * 200}])
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("kind", "code"), [("context_length", "context_length_exceeded"), ("content_filter", "content_filter")]
)
def test_refusals_can_be_ordered(api: OpenAiApi, client: openai.OpenAI, kind: str, code: str) -> None:
    api.faults.add(kind, times=1)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert caught.value.code == code


def test_unsafe_picture_violates_the_content_policy(api: OpenAiApi, client: openai.OpenAI) -> None:
    api.faults.add("content_filter", times=1)
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="dall-e-3", prompt="x")
    assert caught.value.code == "content_policy_violation"


def test_errors_are_the_clients_own(api: OpenAiApi, client: openai.OpenAI) -> None:
    for fault, error in (
        ({"kind": "status", "status": 429, "retry_after": 1}, openai.RateLimitError),
        ({"kind": "error"}, openai.InternalServerError),
        ({"kind": "reset"}, openai.APIConnectionError),
    ):
        api.faults.add(**fault, times=1)
        with pytest.raises(error):
            client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-other").models.list()
