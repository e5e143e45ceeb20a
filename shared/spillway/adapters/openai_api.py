"""Hosted inference at any OpenAI-compatible API: pictures and chat."""

from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from spillway.adapters.http import (
    LARGEST_ANSWER,
    Answer,
    HttpPool,
    chat_chunks,
    error_body,
    headers,
    json_body,
    read_bounded,
    retry_after,
    translated,
)
from spillway.domain.answers import check
from spillway.domain.inputs import fill, fit, values
from spillway.domain.outcomes import hosted_outcome
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback
from spillway.errors import BackendFailed, BrokenAnswer
from spillway.ports import Chunks, Result

# Of a chat request, what OpenAI's API knows; anything else (top_k) is Livepeer's own.
_CHAT_FIELDS = (
    "messages", "temperature", "max_tokens", "top_p", "stop", "seed", "n", "tools", "tool_choice", "response_format",
    "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias", "user", "parallel_tool_calls",
    "reasoning_effort",
)  # fmt: skip


class OpenAiApi:
    """Adapter of ports.Inference. `name` is the provider's in the routes file; `base_url` ends before /chat."""

    def __init__(self, name: str, pool: HttpPool, *, base_url: str, api_key: str | None):
        self._name = name
        self._pool = pool
        self._base_url = base_url.rstrip("/")
        self._key = api_key

    async def infer(self, request: InferenceRequest, target: Fallback, timeout_s: float) -> Result:
        """One whole answer. The API can't be told of `timeout_s`; what it makes after a cancellation is lost."""
        path, body = self._ask(request, target, stream=False)
        response = await self._post(path, body)
        try:
            answer = json_body(await read_bounded(response, LARGEST_ANSWER, self._name), self._name)
        finally:
            await response.aclose()
        if request.pipeline.gives == "chat":
            whole = check(answer, request, self._name)
            return Result(whole, str(whole.get("model") or target.model))
        return Result(check(_pictures(answer, request, self._name), request, self._name), target.model)

    async def stream(self, request: InferenceRequest, target: Fallback, timeout_s: float) -> Chunks:
        """Chunks as they come, with one for usage after the last."""
        path, body = self._ask(request, target, stream=True)
        response = await self._post(path, body)
        try:
            async with aclosing(chat_chunks(response, self._name)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Nothing goes on in the background."""

    def _ask(self, request: InferenceRequest, target: Fallback, *, stream: bool) -> tuple[str, dict[str, Any]]:
        extra = fit(fill(target.input, values(target.placeholders, request.params)), target.limits, target.multiples)
        if request.pipeline.gives == "chat":
            body = {name: request.params[name] for name in _CHAT_FIELDS if request.params.get(name) is not None}
            if stream:
                body |= {"stream": True, "stream_options": {"include_usage": True}}
            return "/chat/completions", {**body, **extra, "model": target.model}
        if request.pipeline.name != "text-to-image":
            raise BackendFailed(f"{self._name} has no {request.pipeline.name}: only pictures from text, and chat")
        body = {"prompt": request.params.get("prompt"), "n": request.pictures, **_size(request)}
        return "/images/generations", {**body, **extra, "model": target.model}

    async def _post(self, path: str, body: dict[str, Any]) -> Answer:
        sent = headers(content_type="application/json")
        if self._key:
            sent["authorization"] = f"Bearer {self._key}"
        with translated(self._name):
            response = await self._pool.send("POST", self._base_url + path, headers=sent, content=to_json(body))
        if response.status_code == 200:
            return response
        try:
            message, answer = await error_body(response, self._name)
        finally:
            await response.aclose()
        after = retry_after(response.headers)
        raise hosted_outcome(response.status_code, message, retry_after_s=after, body=answer)


def _size(request: InferenceRequest) -> dict[str, str]:
    width, height = request.params.get("width"), request.params.get("height")
    return {"size": f"{width}x{height}"} if width and height else {}


def _pictures(answer: Any, request: InferenceRequest, backend: str) -> dict[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise BrokenAnswer(f"{backend}'s answer has no data")
    seed = request.params.get("seed")
    first = seed if isinstance(seed, int) else 0
    return {"images": [{"url": _url(item), "seed": first + i, "nsfw": False} for i, item in enumerate(data)]}


def _url(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    if isinstance(item.get("b64_json"), str):
        return f"data:image/png;base64,{item['b64_json']}"
    return str(item.get("url") or "")
