"""Requests in the two inference families, Livepeer's and OpenAI's: the same way in, two shapes out."""

from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from spillway.domain.pipelines import Pipeline
from spillway.domain.requests import InferenceRequest
from spillway.edge import openai
from spillway.edge.bodies import Body, CallerGone, Room
from spillway.edge.exchanges import Exchange
from spillway.edge.preferences import read_preferences
from spillway.edge.presence import while_present
from spillway.edge.replies import Family, answer_headers, send_bytes
from spillway.edge.requests import public_url, read_json, read_request, read_terms
from spillway.edge.streams import send_stream
from spillway.ports import Artifacts, Media, Result
from spillway.services.inference import InferenceService
from spillway.services.on_demand import OnDemand

if TYPE_CHECKING:
    from spillway.edge.job_house import JobHouse


@dataclass(frozen=True, slots=True)
class Ways:
    """What every endpoint answers with: at once, and with `jobs` later, or once only where a request is repeated."""

    service: InferenceService
    room: Room
    base_url: str | None
    jobs: "OnDemand[JobHouse]"


class Endpoint(ABC):
    """An ASGI application for one path of one family."""

    family: Family

    def __init__(self, ways: Ways):
        self._ways = ways
        self._service = ways.service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is an answer too."""
        exchange = Exchange(scope, receive, send)
        try:
            with closing(await self._ways.room.read(scope, receive)) as body:
                if "idempotency-key" in exchange.headers:
                    once = (await self._ways.jobs.get()).once
                    await once.answer(exchange, body, self.family, lambda: self._answer(exchange, body))
                else:
                    await self._answer(exchange, body)
        except CallerGone:
            return
        except Exception as error:
            if not await exchange.told(error, self.family):
                raise

    async def _answer(self, exchange: Exchange, body: Body) -> None:
        exchange.public_url = public_url(self._ways.base_url, exchange.scope, exchange.headers)
        terms = read_terms(exchange.headers, exchange.public_url, exchange.caller)
        request = await self._read(exchange.headers, body)
        if read_preferences(exchange.headers).respond_async:
            later = (await self._ways.jobs.get()).later
            await later.accept(exchange, request, terms, body, self.family)
            return
        async with while_present(exchange.receive):
            if request.pipeline.gives == "chat" and request.params.get("stream") is True:
                conversation = self._service.streamed(request, terms)
                exchange.served = conversation.served
                await send_stream(conversation, self._writer(request), exchange.send, self.family, exchange.id)
                return
            generation = self._service.whole(request, terms)
            exchange.served = generation.served
            whole = await self._whole(await generation.answer(), request, exchange)
        await send_bytes(
            exchange.send, 200, to_json(whole), b"application/json", answer_headers(exchange.served, exchange.id)
        )

    @abstractmethod
    async def _read(self, headers: Headers, body: Body) -> InferenceRequest:
        """The job that is asked for."""

    @abstractmethod
    async def _whole(self, result: Result, request: InferenceRequest, exchange: Exchange) -> dict[str, Any]:
        """The result in the family's shape."""

    def _writer(self, request: InferenceRequest) -> openai.ChunkWriter:
        """How the family's chunks are written."""
        return openai.ChunkWriter()


class LivepeerEndpoint(Endpoint):
    """A pipeline's own path, as go-livepeer serves it."""

    family = Family.LIVEPEER

    def __init__(self, pipeline: Pipeline, ways: Ways):
        super().__init__(ways)
        self._pipeline = pipeline

    async def _read(self, headers: Headers, body: Body) -> InferenceRequest:
        return await read_request(self._pipeline, headers, body)

    async def _whole(self, result: Result, request: InferenceRequest, exchange: Exchange) -> dict[str, Any]:
        return result.body

    def _writer(self, request: InferenceRequest) -> openai.ChunkWriter:
        return openai.ChunkWriter(inline=True)


class ImagesEndpoint(Endpoint):
    """POST /v1/images/generations."""

    family = Family.OPENAI

    def __init__(self, ways: Ways, media: Media, artifacts: Artifacts):
        super().__init__(ways)
        self._media = media
        self._artifacts = artifacts

    async def _read(self, headers: Headers, body: Body) -> InferenceRequest:
        given = await read_json(headers.get("content-type", ""), body)
        return openai.images_request(given, self._service.backends.routes)

    async def _whole(self, result: Result, request: InferenceRequest, exchange: Exchange) -> dict[str, Any]:
        inline = request.params.get(openai.INLINE) is True
        return await openai.images_answer(result, self._media, self._artifacts, exchange.public_url, inline=inline)


class ChatEndpoint(Endpoint):
    """POST /v1/chat/completions."""

    family = Family.OPENAI

    async def _read(self, headers: Headers, body: Body) -> InferenceRequest:
        given = await read_json(headers.get("content-type", ""), body)
        return openai.chat_request(given, self._service.backends.routes)

    async def _whole(self, result: Result, request: InferenceRequest, exchange: Exchange) -> dict[str, Any]:
        return openai.chat_answer(result)

    def _writer(self, request: InferenceRequest) -> openai.ChunkWriter:
        options = request.params.get("stream_options")
        return openai.ChunkWriter(usage=isinstance(options, dict) and options.get("include_usage") is True)
