"""Every path but those of inference. It is loaded when the first of them is asked for."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spillway.domain.pipelines import PIPELINES
from spillway.domain.routes import Routes
from spillway.edge import openai, pages
from spillway.edge.app import Endpoints
from spillway.edge.artifacts import ArtifactsEndpoint
from spillway.edge.assets import asset
from spillway.edge.history import HistoryEndpoint
from spillway.edge.job_events import JobEvents
from spillway.edge.job_house import JobHouse
from spillway.edge.jobs import JobEndpoint
from spillway.edge.openapi import document
from spillway.edge.replies import Family, Fault, answer_headers, family_of, new_request_id
from spillway.edge.requests import request_id
from spillway.errors import BadRequest, SpillwayError
from spillway.ports import Artifacts, Exposition
from spillway.services.archive import Archive
from spillway.services.backends import Backends
from spillway.services.gauges import Gauges
from spillway.services.status import Status


@dataclass(frozen=True, slots=True)
class Annex:
    """What it is made of. `further` are further paths, `gauges` values of the moment for /metrics."""

    backends: Backends
    artifacts: Artifacts
    status: Status
    archive: Archive
    exposition: Exposition
    jobs: JobHouse
    gauges: Gauges
    further: Sequence[Route]


def create_annex(annex: Annex, endpoints: Endpoints) -> Starlette:
    """The application; of `endpoints`, which are answered before, it knows what else may not be done with them."""
    routes = [
        *(Route(path, endpoint, methods=[method]) for (method, path), endpoint in endpoints.items()),
        Route("/v1/models", _models(annex.backends.routes), methods=["GET"]),
        Route("/artifacts/{key}", ArtifactsEndpoint(annex.artifacts).__call__, methods=["GET"]),
        *_job_routes(annex.jobs),
        Route("/metrics", _metrics(annex), methods=["GET"]),
        Route("/api/stats", pages.stats(annex.status), methods=["GET"]),
        Route("/api/history", HistoryEndpoint(annex.archive).__call__, methods=["GET"]),
        Route("/api/policy", _policy(annex.backends), methods=["GET"]),
        Route("/assets/{name}", asset, methods=["GET"]),
        *annex.further,
        Route("/openapi.json", _openapi, methods=["GET"]),
    ]
    handlers: dict[Any, Any] = {HTTPException: _http_fault, SpillwayError: _fault}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _job_routes(jobs: JobHouse) -> list[Route]:
    page = JobEndpoint(jobs.desk, jobs.views, jobs.changes, monotonic=time.monotonic)
    events = JobEvents(jobs.desk, jobs.views, jobs.changes, monotonic=time.monotonic)
    return [
        Route("/jobs/{job_id}", page, methods=["GET", "DELETE"]),
        Route("/jobs/{job_id}/events", events, methods=["GET"]),
    ]


def _models(routes: Routes) -> pages.Page:
    async def page(_: Request) -> Response:
        return JSONResponse(openai.models(routes))

    return page


def _policy(backends: Backends) -> pages.Page:
    async def page(_: Request) -> Response:
        routes = {gate.name: gate.describe() for gate in backends.gates if gate.used}
        return JSONResponse({"routes": routes, "balancer": backends.exchange.guidance.body()})

    return page


def _metrics(annex: Annex) -> pages.Page:
    async def page(_: Request) -> Response:
        content_type, text = annex.exposition.expose(await annex.gauges.now())
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
