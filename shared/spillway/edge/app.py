"""The front door: every path, and who answers it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from spillway.domain.pipelines import PIPELINES
from spillway.edge import openai, pages
from spillway.edge.artifacts import ArtifactsEndpoint
from spillway.edge.assets import asset
from spillway.edge.auth import Entrance, welcome
from spillway.edge.bodies import Room
from spillway.edge.cross_origin import CrossOrigin
from spillway.edge.history import HistoryEndpoint
from spillway.edge.idempotency import Once
from spillway.edge.job_events import JobEvents
from spillway.edge.jobs import JobEndpoint
from spillway.edge.later import Later
from spillway.edge.openapi import document
from spillway.edge.pipelines import ChatEndpoint, ImagesEndpoint, LivepeerEndpoint, Ways
from spillway.edge.replies import Family, Fault, answer_headers, family_of, new_request_id, send_fault
from spillway.edge.requests import request_id
from spillway.errors import BadRequest, SpillwayError
from spillway.ports import Artifacts, Exposition, Media
from spillway.services.archive import Archive
from spillway.services.changes import Changes
from spillway.services.exporting import Exporting
from spillway.services.gauges import Gauges
from spillway.services.idempotency import Idempotency
from spillway.services.inference import InferenceService
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk
from spillway.services.status import Status

Beside = Callable[[], Awaitable[None]]
"""Something that runs for as long as the application does."""


@dataclass(frozen=True, slots=True)
class JobHouse:
    """What callers see of jobs is made of."""

    desk: JobDesk
    views: JobViews
    changes: Changes
    idempotency: Idempotency


@dataclass(frozen=True, slots=True)
class House:
    """What the application is made of."""

    inference: InferenceService
    artifacts: Artifacts
    media: Media
    status: Status
    archive: Archive
    exposition: Exposition
    room: Room
    entrance: Entrance
    jobs: JobHouse
    public_url: str | None
    close: Callable[[], Awaitable[None]]
    beside: Sequence[Beside] = ()
    side_doors: Mapping[str, ASGIApp] = field(default_factory=dict)
    """Paths that are POSTed to by machines and see for themselves who it is: by a key, or by a signature."""
    gauges: Gauges = field(default_factory=lambda: Gauges([]))
    """Values of the moment, for /metrics."""
    exporting: Exporting | None = None
    """Sends the metrics to where nobody comes to read them."""
    further: Sequence[Route] = ()
    """Further paths."""


class FrontDoor:
    """Every path. The inference paths are found at once: a router and its middlewares cost a tenth of a request."""

    def __init__(
        self,
        endpoints: Mapping[str, ASGIApp],
        others: Starlette,
        entrance: Entrance,
        side_doors: Mapping[str, ASGIApp],
    ):
        self._endpoints = endpoints
        self._others = others
        self._entrance = entrance
        self._side_doors = side_doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        side_door = self._side_doors.get(path) if scope["method"] == "POST" else None
        if side_door is not None:
            await side_door(scope, receive, send)
            return
        try:
            welcome(scope, await self._entrance.admit(scope))
        except SpillwayError as error:
            named = request_id(Headers(scope=scope)) or new_request_id()
            await send_fault(send, error, family_of(path, PIPELINES), named)
            return
        endpoint = self._endpoints.get(path) if scope["method"] == "POST" else None
        await (endpoint or self._others)(scope, receive, send)


def create_app(house: House) -> ASGIApp:
    """The front door over a house."""
    ways = Ways(
        house.inference,
        house.room,
        house.public_url,
        Later(house.jobs.desk, house.jobs.views),
        Once(house.jobs.idempotency),
    )
    endpoints: dict[str, ASGIApp] = {pipeline.path: LivepeerEndpoint(pipeline, ways) for pipeline in PIPELINES.values()}
    endpoints["/v1/chat/completions"] = ChatEndpoint(ways)
    endpoints["/v1/images/generations"] = ImagesEndpoint(ways, house.media, house.artifacts)
    door = FrontDoor(endpoints, _others(house, endpoints), house.entrance, house.side_doors)
    return CrossOrigin(door, house.entrance) if house.entrance.keyed else door


def _others(house: House, endpoints: Mapping[str, ASGIApp]) -> Starlette:
    routes = [
        *(Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()),
        Route("/v1/models", _models(house.inference), methods=["GET"]),
        Route("/artifacts/{key}", ArtifactsEndpoint(house.artifacts).__call__, methods=["GET"]),
        *_job_routes(house.jobs),
        Route("/healthz", pages.health, methods=["GET"]),
        Route("/readyz", pages.health, methods=["GET"]),
        Route("/metrics", _metrics(house), methods=["GET"]),
        Route("/api/stats", pages.stats(house.status), methods=["GET"]),
        Route("/api/history", HistoryEndpoint(house.archive).__call__, methods=["GET"]),
        Route("/api/policy", _policy(house.inference), methods=["GET"]),
        Route("/assets/{name}", asset, methods=["GET"]),
        *house.further,
        Route("/openapi.json", _openapi, methods=["GET"]),
    ]
    handlers: dict[Any, Any] = {HTTPException: _http_fault, SpillwayError: _fault}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(one()) for one in house.beside]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await house.close()

    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


def _job_routes(jobs: JobHouse) -> list[Route]:
    page = JobEndpoint(jobs.desk, jobs.views, jobs.changes, monotonic=time.monotonic)
    events = JobEvents(jobs.desk, jobs.views, jobs.changes, monotonic=time.monotonic)
    return [
        Route("/jobs/{job_id}", page, methods=["GET", "DELETE"]),
        Route("/jobs/{job_id}/events", events, methods=["GET"]),
    ]


def _models(service: InferenceService) -> pages.Page:
    async def page(_: Request) -> Response:
        return JSONResponse(openai.models(service.backends.routes))

    return page


def _policy(service: InferenceService) -> pages.Page:
    async def page(_: Request) -> Response:
        gates = service.backends.gates
        return JSONResponse({"routes": {gate.name: gate.describe() for gate in gates if gate.used}})

    return page


def _metrics(house: House) -> pages.Page:
    async def page(_: Request) -> Response:
        content_type, text = house.exposition.expose(await house.gauges.now())
        return Response(text, headers={"content-type": content_type})

    return page


async def _openapi(_: Request) -> Response:
    return JSONResponse(document())


async def _http_fault(request: Request, error: HTTPException) -> Response:
    """A path or a method that there is none of."""
    path = request.url.path
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "POST")
        fault = BadRequest(
            f"{request.method} is not possible on {path}: use {allowed}", status=405, code="method_not_allowed"
        )
        fault.headers = {"allow": allowed}
    else:
        known = "the pipelines are " + ", ".join(f"/{name}" for name in PIPELINES)
        fault = BadRequest(f"there is nothing at {path[:200]}; {known}", status=404, code="not_found")
    return await _fault(request, fault)


async def _fault(request: Request, error: SpillwayError) -> Response:
    family = family_of(request.url.path, PIPELINES)
    named = request_id(request.headers) or new_request_id()
    fault = Fault(error, named)
    media_type = "application/problem+json" if family is Family.PROBLEM else "application/json"
    extra = {name.decode(): value.decode() for name, value in answer_headers(None, named)}
    return Response(fault.rendered(family), fault.status, {**fault.headers, **extra}, media_type)
