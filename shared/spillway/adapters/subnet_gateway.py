"""The on-chain gateway: go-livepeer's AI HTTP interface (server/ai_mediaserver.go).

One call is one try. Orchestrators may be paid before they answer, so nothing is ever repeated but a connection that
could not be made.
"""

import asyncio
import random
from contextlib import aclosing
from typing import Any
from urllib.parse import urljoin, urlsplit

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
from spillway.domain.answers import check, media
from spillway.domain.chat import finish_reason
from spillway.domain.outcomes import subnet_outcome
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Route
from spillway.errors import BrokenAnswer, Unreachable
from spillway.ports import Chunks, Result

BACKEND = "subnet"
LONGEST_PAUSE_S = 0.05


class SubnetGateway:
    """Adapter of ports.Inference over the pool; `base_url` may have a path."""

    def __init__(self, base_url: str, pool: HttpPool):
        self._base_url = base_url
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(base_url))
        self._pool = pool

    async def infer(self, request: InferenceRequest, route: Route, timeout_s: float) -> Result:
        """One whole answer, checked; its media have absolute URLs. The gateway can't be told of `timeout_s`."""
        response = await self._send(request, route)
        try:
            raw = await read_bounded(response, LARGEST_ANSWER, BACKEND)
        finally:
            await response.aclose()
        answer = check(json_body(raw, BACKEND), request, BACKEND)
        for item in media(answer, request.pipeline):
            item["url"] = self._absolute(item["url"])
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

    async def close(self) -> None:
        """Nothing goes on in the background."""

    async def _send(self, request: InferenceRequest, route: Route) -> Answer:
        """The gateway's 200, its body still to be read."""
        response = await self._connected(request, route)
        if response.status_code == 200:
            return response
        try:
            message, body = await error_body(response, BACKEND)
        finally:
            await response.aclose()
        after = retry_after(response.headers)
        raise subnet_outcome(response.status_code, message, retry_after_s=after, body=body)

    async def _connected(self, request: InferenceRequest, route: Route) -> Answer:
        """A connection that can't be made costs nothing and is often a restart: once more, at once. Nothing else is."""
        try:
            return await self._post(request, route)
        except Unreachable as error:
            if error.arrived or error.slow:
                raise
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_S))
        return await self._post(request, route)

    async def _post(self, request: InferenceRequest, route: Route) -> Answer:
        payload = request.payload
        sent = headers(content_type=payload.content_type, content_length=str(payload.size))
        with translated(BACKEND):
            return await self._pool.send("POST", self._base_url + route.path, headers=sent, content=payload.content())

    def _absolute(self, url: str) -> str:
        return self._origin + url if url.startswith("/") else urljoin(self._origin + "/", url)


def _model(answer: dict[str, Any], request: InferenceRequest) -> str:
    """The model that answered: a chat answer names it, elsewhere it is the one asked for."""
    named = answer.get("model") if request.pipeline.gives == "chat" else None
    return named if isinstance(named, str) and named else request.model
