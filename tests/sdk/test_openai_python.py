"""OpenAI's own Python package works by changing its base_url alone: pictures, chat, streamed chat."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from sdk.answers import fetched, size_of
from sdk.conftest import StandIns

MESSAGES: Any = [{"role": "user", "content": "What is a spillway?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
# Who answers behind each front door, and with which model.
PAINTERS = {
    "free": ("subnet", "stabilityai/sdxl-turbo"),
    "full": ("replicate", "bytedance/sdxl-lightning-4step"),
    "hosted": ("hosted", "dall-e-3"),
}
TALKERS = {
    "free": ("subnet", "meta-llama/llama-3.1-8B-Instruct"),
    "full": ("replicate", "meta/meta-llama-3-8b-instruct"),
    "hosted": ("hosted", "gpt-4o-mini"),
}


@pytest.fixture(params=["free", "full", "hosted"])
def where(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(where: str, request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(where)


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    yield from connected(url)


@pytest.fixture
def of_free(free: str) -> Iterator[OpenAI]:
    yield from connected(free)


@pytest.fixture
def of_full(full: str) -> Iterator[OpenAI]:
    yield from connected(full)


@pytest.fixture
def of_hosted(hosted: str) -> Iterator[OpenAI]:
    yield from connected(hosted)


def connected(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=20) as client:
        yield client


def said(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_pictures_come_from_whoever_has_room(client: OpenAI, url: str, where: str) -> None:
    response = client.images.with_raw_response.generate(prompt="a dam", n=3, size="512x256")
    images = response.parse()
    assert (response.headers["x-spillway-served-by"], response.headers["x-spillway-model"]) == PAINTERS[where]
    assert images.model_extra == {"model": PAINTERS[where][1]}
    assert [size_of(fetched(image.url or "", url)) for image in images.data or []] == [(512, 256)] * 3


def test_pictures_come_inline_where_they_are_wanted_so(client: OpenAI) -> None:
    images = client.images.generate(prompt="a dam", n=3, size="256x256", response_format="b64_json").data or []
    assert [size_of(base64.b64decode(image.b64_json or "")) for image in images] == [(256, 256)] * 3
    assert {image.url for image in images} == {None}


def test_chat_names_who_answered(client: OpenAI, where: str) -> None:
    response = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    answer = response.parse()
    assert (response.headers["x-spillway-served-by"], answer.model) == TALKERS[where]
    assert (answer.object, answer.choices[0].finish_reason) == ("chat.completion", "stop")
    assert answer.choices[0].message.content
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_streamed_chat_says_what_whole_chat_says(client: OpenAI, where: str) -> None:
    whole = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    with client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True) as stream:
        assert stream.response.headers["x-spillway-served-by"] == TALKERS[where][0]
        chunks = list(stream)
    assert said(chunks) == whole.choices[0].message.content
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert {chunk.model for chunk in chunks} == {TALKERS[where][1]}
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_streamed_chat_ends_with_its_usage_where_that_is_asked_for(client: OpenAI) -> None:
    wanted: Any = {"include_usage": True}
    *chunks, last = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, stream_options=wanted
    )
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert (last.choices, last.model) == ([], chunks[0].model)
    assert last.usage
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens > 0


def test_models_are_listed(client: OpenAI) -> None:
    listed = {model.id for model in client.models.list()}
    assert {"stabilityai/sdxl-turbo", "meta-llama/llama-3.1-8B-Instruct"} <= listed


def test_tools_are_a_clear_error_where_nobody_can_use_them(of_full: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="tools is not supported") as raised:
        of_full.chat.completions.create(model="gpt-4o", messages=MESSAGES, tools=TOOLS)
    assert raised.value.param == "tools"


def test_tools_go_to_the_provider_that_can_use_them(of_hosted: OpenAI, stand_ins: StandIns) -> None:
    response = of_hosted.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES, tools=TOOLS)
    assert response.headers["x-spillway-served-by"] == "hosted"
    assert stand_ins.openai.requests[-1].json["tools"] == TOOLS


def test_empty_conversation_is_a_bad_request(of_free: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        of_free.chat.completions.create(model="gpt-4o", messages=[])
    assert (raised.value.status_code, raised.value.param, raised.value.code) == (400, "messages", "invalid_field")
    assert raised.value.type == "invalid_request_error"
    assert raised.value.body["message"].startswith("messages: ")


def test_empty_prompt_is_a_bad_request(of_free: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="prompt is required and must not be empty") as raised:
        of_free.images.generate(prompt="")
    assert (raised.value.param, raised.value.code) == ("prompt", "missing_field")


def test_size_that_is_none_is_a_bad_request(of_free: OpenAI) -> None:
    size: Any = "large"
    with pytest.raises(openai.BadRequestError) as raised:
        of_free.images.generate(prompt="a dam", size=size)
    assert (raised.value.param, raised.value.code) == ("size", "invalid_field")


def test_unknown_path_is_not_found(of_free: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is nothing at /v1/embeddings"):
        of_free.embeddings.create(model="text-embedding-3-small", input="a dam")


def test_full_subnet_without_hosted_inference_is_a_server_error(of_full: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        of_full.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, extra_headers={"X-Spillway-Prefer": "subnet-only"}
        )
    assert (raised.value.status_code, raised.value.code) == (503, "no_capacity")


@pytest.fixture(params=["clean_cut", "cut"])
def broken_stream(stand_ins: StandIns, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The subnet breaks its next stream after some words; the headers send a request there."""
    fault = stand_ins.subnet.faults.add(request.param, "/llm", times=1)
    yield {"X-Spillway-Prefer": "subnet"}
    struck = stand_ins.subnet.faults.struck(fault)
    stand_ins.subnet.faults.remove(fault)
    assert struck == 1


def test_stream_that_breaks_off_raises_after_its_words(of_free: OpenAI, broken_stream: dict[str, str]) -> None:
    stream = of_free.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, extra_headers=broken_stream
    )
    heard = []
    with pytest.raises(openai.APIError, match="the answer broke off") as raised:
        heard.extend(stream)
    assert said(heard)
    assert raised.value.code == "answer_broke_off"


def test_stream_that_is_wanted_whole_comes_whole_from_the_fallback(
    of_free: OpenAI, of_full: OpenAI, broken_stream: dict[str, str]
) -> None:
    whole = of_full.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    headers = {**broken_stream, "X-Spillway-Stream": "whole"}
    chunks = list(
        of_free.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, extra_headers=headers)
    )
    assert said(chunks) == whole.choices[0].message.content
    assert {chunk.model for chunk in chunks} == {whole.model}
    assert chunks[-1].choices[0].finish_reason == "stop"
