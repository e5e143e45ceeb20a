"""The on-chain gateway: go-livepeer's AI HTTP interface (server/ai_mediaserver.go).

One call is one try. Orchestrators may be paid before they answer, so nothing is ever repeated but a connection that
could not be made.
"""

from contextlib import aclosing
from typing import Any
from urllib.parse import urljoin

import httpx
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random

from spillway.adapters.http import (
    LARGEST_ANSWER,
    chat_chunks,
    error_body,
    headers,
    json_body,
    read_bounded,
    retry_after,
    timeouts,
    translated,
)
from spillway.domain.answers import check, media
from spillway.domain.chat import finish_reason
from spillway.domain.outcomes import subnet_outcome
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Route
from spillway.errors import BrokenAnswer, Unreachable
from spillway.ports import Chunks, Result

BACKEND = "subnet"


def _can_not_have_arrived(error: BaseException) -> bool:
    return isinstance(error, Unreachable) and not error.arrived


# A connection that can't be made costs nothing and is often a restart: once more, at once. Nothing else is repeated.
_CONNECTING = AsyncRetrying(
    retry=retry_if_exception(_can_not_have_arrived), stop=stop_after_attempt(2), wait=wait_random(0, 0.05), reraise=True
)


class SubnetGateway:
    """Adapter of ports.Subnet over one pooled client; `base_url` may have a path."""

    def __init__(self, base_url: str, client: httpx.AsyncClient):
        self._base_url = base_url
        self._client = client
        self._urls: dict[str, httpx.URL] = {}

    async def infer(self, request: InferenceRequest, route: Route, timeout_s: float) -> Result:
        """One whole answer, checked; its media have absolute URLs. The gateway can't be told of `timeout_s`."""
        response = await self._send(request, route)
        try:
            raw = await read_bounded(response, LARGEST_ANSWER, BACKEND)
        finally:
            await response.aclose()
        answer = check(json_body(raw, BACKEND), request, BACKEND)
        for item in media(answer, request.pipeline):
            item["url"] = urljoin(self._base_url + "/", item["url"])
        return Result(answer, _model(answer, request))

    async def stream(self, request: InferenceRequest, route: Route, timeout_s: float) -> Chunks:
        """Chunks up to and with the one that has a finish_reason; a clean end before it is a cut run."""
        response = await self._send(request, route)
        try:
            async with aclosing(chat_chunks(response, BACKEND)) as chunks:
                async for chunk in chunks:
                    yield chunk
                    if finish_reason(chunk):
                        return
        finally:
            await response.aclose()
        raise BrokenAnswer("the stream ended without a finish_reason")

    async def _send(self, request: InferenceRequest, route: Route) -> httpx.Response:
        """The gateway's 200, its body still to be read."""
        response: httpx.Response = await _CONNECTING(self._send_once, request, route)
        if response.status_code == 200:
            return response
        try:
            message, body = await error_body(response, BACKEND)
        finally:
            await response.aclose()
        after = retry_after(response.headers)
        raise subnet_outcome(response.status_code, message, retry_after_s=after, body=body)

    async def _send_once(self, request: InferenceRequest, route: Route) -> httpx.Response:
        with translated(BACKEND):
            return await self._client.send(self._build(request, route), stream=True)

    def _build(self, request: InferenceRequest, route: Route) -> httpx.Request:
        url = self._urls.get(route.path)
        if url is None:
            url = self._urls[route.path] = httpx.URL(self._base_url + route.path)
        payload = request.payload
        sent = headers(content_type=payload.content_type, content_length=str(payload.size))
        return httpx.Request("POST", url, headers=sent, content=payload.content(), extensions=_UNBOUNDED)


# The whole try, or the silence of a stream, is bounded above; here only connecting is.
_UNBOUNDED = {"timeout": timeouts(None).as_dict()}


def _model(answer: dict[str, Any], request: InferenceRequest) -> str:
    """The model that answered: a chat answer names it, elsewhere it is the one asked for."""
    named = answer.get("model") if request.pipeline.gives == "chat" else None
    return named if isinstance(named, str) and named else request.model
