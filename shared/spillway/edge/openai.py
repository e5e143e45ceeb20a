"""OpenAI's API: pictures and chat, in its words."""

import base64
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from spillway.domain import openai_answers
from spillway.domain.chat import finish_reason
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Routes
from spillway.edge.parameters import ModelName, Number, Seed, Text, validated
from spillway.edge.requests import json_request
from spillway.errors import BadRequest
from spillway.ports import Artifacts, Media, Result

INLINE = "_b64_json"
FETCH_TIMEOUT_S = 20.0
# OpenAI's callers expect an answer that is not cut short; go-livepeer must be told a number.
CHAT_MAX_TOKENS = 1024
_SIZES = {"auto": (1024, 1024)}
# What a subnet runner would silently ignore: only an OpenAI-compatible fallback honours it.
_BEYOND_SUBNET = ("tools", "functions", "response_format", "logprobs", "modalities", "audio")


class ImagesFields(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    prompt: Text
    model: ModelName | None = None
    n: Annotated[int, Field(ge=1, le=10)] | None = None
    size: Annotated[str, Field(pattern=r"^(auto|\d{1,4}x\d{1,4})$")] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    seed: Seed | None = None
    negative_prompt: str | None = None
    guidance_scale: Number | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] | None = None


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    type: str
    text: str | None = None


class _Turn(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None


class ChatFields(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    messages: Annotated[list[_Turn], Field(min_length=1)]
    model: ModelName | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    stream: bool | None = None


def images_request(given: Mapping[str, Any], routes: Routes) -> InferenceRequest:
    """The job of an /images/generations request. Raises BadRequest."""
    asked = validated(ImagesFields, given, strict=True)
    width, height = _size(asked.get("size", "auto"))
    body: dict[str, Any] = {
        "prompt": asked["prompt"],
        "model_id": _model("text-to-image", asked.get("model"), routes),
        "width": width,
        "height": height,
        "num_images_per_prompt": asked.get("n", 1),
    }
    for name in ("seed", "negative_prompt", "guidance_scale", "num_inference_steps"):
        if name in asked:
            body[name] = asked[name]
    request = json_request(PIPELINES["text-to-image"], body)
    # OpenAI's own gpt-image models know no URLs, and neither do their callers.
    default = "b64_json" if asked.get("model", "").startswith("gpt-image") else "url"
    if asked.get("response_format", default) != "b64_json":
        return request
    return InferenceRequest(request.pipeline, request.model, {**request.params, INLINE: True}, request.payload)


def _size(size: str) -> tuple[int, int]:
    if size in _SIZES:
        return _SIZES[size]
    width, height = (int(side) for side in size.split("x"))
    if not (width and height):
        raise BadRequest(
            "size: must be WIDTHxHEIGHT in pixels, for example 1024x1024", code="invalid_field", param="size"
        )
    return width, height


def _model(pipeline: str, asked: str | None, routes: Routes) -> str:
    """A subnet model where one is named (a route's, or any Hugging Face id); OpenAI's own names get the default."""
    if asked and (routes.names(pipeline, asked) or "/" in asked):
        return asked
    return PIPELINES[pipeline].default_model


def chat_request(given: Mapping[str, Any], routes: Routes) -> InferenceRequest:
    """The job of a /chat/completions request. Raises BadRequest."""
    asked = validated(ChatFields, given, strict=True)
    beyond = _beyond_subnet(asked)
    model = _model("llm", asked.get("model"), routes)
    if beyond:
        return _beyond_request(asked, model, beyond, routes)
    body = {key: value for key, value in asked.items() if key not in ("n", "max_completion_tokens")}
    body["messages"] = [
        {"role": _role(turn["role"]), "content": _text(turn.get("content"))} for turn in asked["messages"]
    ]
    body["max_tokens"] = asked.get("max_completion_tokens") or asked.get("max_tokens") or CHAT_MAX_TOKENS
    return json_request(PIPELINES["llm"], {**body, "model": model})


def _beyond_request(asked: dict[str, Any], model: str, beyond: tuple[str, ...], routes: Routes) -> InferenceRequest:
    kinds = {routes.providers[fallback.provider].kind for fallback in routes.find("llm", model).fallbacks}
    if "openai" not in kinds:
        what = "anything but text in messages" if beyond[0] == "messages" else beyond[0]
        raise BadRequest(f"{what} is not supported by the models behind this route: leave it out", param=beyond[0])
    plain = json_request(PIPELINES["llm"], {"messages": [{"role": "user", "content": "-"}], "model": model})
    return InferenceRequest(plain.pipeline, model, asked, plain.payload, beyond_subnet=beyond)


def _beyond_subnet(asked: Mapping[str, Any]) -> tuple[str, ...]:
    beyond = [name for name in _BEYOND_SUBNET if asked.get(name)]
    if asked.get("response_format") == {"type": "text"}:
        beyond.remove("response_format")
    turns = asked["messages"]
    if any(turn["role"] in ("tool", "function") or turn.get("tool_calls") for turn in turns):
        beyond.append("messages")
    parts = [part for turn in turns if isinstance(turn.get("content"), list) for part in turn["content"]]
    if any(part["type"] != "text" for part in parts):
        beyond.append("messages")
    return tuple(beyond)


def _role(role: str) -> str:
    return "system" if role == "developer" else role


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text") or "" for part in content)
    return content or ""


async def images_answer(
    result: Result, media: Media, artifacts: Artifacts, public_url: str, *, inline: bool
) -> dict[str, Any]:
    """The answer of /images/generations; `inline` puts the pictures themselves into it."""
    data = []
    for image in result.body["images"]:
        if inline:
            data.append({"b64_json": await _inline(image["url"], media, artifacts, public_url)})
        else:
            data.append({"url": image["url"]})
    return openai_answers.pictures(data, result.model, time.time())


async def _inline(url: str, media: Media, artifacts: Artifacts, public_url: str) -> str:
    kept = await artifacts.find(url.removeprefix(f"{public_url}/artifacts/"))
    if kept:
        return base64.b64encode(b"".join([piece async for piece in artifacts.read(kept)])).decode()
    with await media.fetch(url, timeout_s=FETCH_TIMEOUT_S) as content:
        content.seek(0)
        return base64.b64encode(content.read()).decode()


def chat_answer(result: Result) -> dict[str, Any]:
    """The answer of /chat/completions, whoever gave it."""
    return openai_answers.chat(result.body, result.model, time.time())


class ChunkWriter:
    """Writes the chunks of one stream: one id, one model, one time, whoever gave them.

    OpenAI sends `usage` once, in a chunk without choices after the last, where it is asked for. go-livepeer has it in
    each chunk (`inline`): its clients read choices[0] always, so there the last chunk waits for it.
    """

    def __init__(self, *, usage: bool = False, inline: bool = False):
        self._wanted = usage
        self._inline = inline
        self._usage: Any = None
        self._first: dict[str, Any] = {}
        self._held: dict[str, Any] | None = None

    def chunk(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """A chunk as it goes out now; None where nothing does."""
        self._usage = given.get("usage") or self._usage
        if not given["choices"]:
            return None
        if not self._first:
            self._first = {
                "id": given.get("id") or "chatcmpl-0",
                "object": "chat.completion.chunk",
                "created": given.get("created") or int(time.time()),
                "model": given.get("model") or "",
            }
        chunk = {**self._first, "choices": [_choice(choice) for choice in given["choices"]]}
        if not self._inline:
            return chunk
        if finish_reason(given):
            self._held = chunk
            return None
        return {**chunk, "usage": self._usage or _NO_USAGE}

    def last(self) -> dict[str, Any] | None:
        """What goes out when the stream is complete."""
        if self._held:
            return {**self._held, "usage": self._usage or _NO_USAGE}
        if not self._wanted or not self._usage:
            return None
        return {**self._first, "choices": [], "usage": self._usage}


_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def _choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    delta = choice.get("delta") or choice.get("message") or {}
    return {"index": choice.get("index", 0), "delta": delta, "finish_reason": choice.get("finish_reason") or None}


def models(routes: Routes) -> dict[str, Any]:
    """GET /v1/models: what can be asked for by name."""
    names = sorted({*routes.models("text-to-image"), *routes.models("llm")})
    data = [{"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]} for name in names]
    return {"object": "list", "data": data}
