"""The page and its live parts."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from spillway.domain.chronicle import DAY_S
from spillway.edge.dashboard.sections import page, sections
from spillway.edge.history import pipeline_asked
from spillway.edge.pages import STRICT
from spillway.errors import Overloaded
from spillway.services.archive import range_named
from spillway.services.overview import Overview
from spillway.services.status import Status

LOOK_EVERY_S, REST_S = 2.0, 15.0
MOST_WATCHERS = 100


class Dashboard:
    """Everything below / that a person looks at."""

    def __init__(self, overview: Overview, status: Status):
        self._overview, self._status = overview, status
        self._watchers = 0

    def routes(self) -> list[Route]:
        """For the application."""
        return [
            Route("/", self._page, methods=["GET"]),
            Route("/api/dashboard/events", self._events, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        view, pipeline = _asked(request)
        facts = await self._overview.facts(range_named(view))
        return HTMLResponse(page(facts, view, pipeline, self._errors()), headers=STRICT)

    async def _events(self, request: Request) -> Response:
        """An event for each part of the page that has changed."""
        view, pipeline = _asked(request)
        if self._watchers >= MOST_WATCHERS:
            raise Overloaded("too many people look at the dashboard at once", retry_after_s=REST_S)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._changes(view, pipeline), media_type="text/event-stream", headers=headers)

    async def _changes(self, view: str, pipeline: str | None) -> AsyncGenerator[str, None]:
        self._watchers += 1
        try:
            shown: dict[str, str] = {}
            quiet_s = 0.0
            while True:
                facts = await self._overview.facts(range_named(view))
                for name, html in sections(facts, view, pipeline, self._errors()).items():
                    if shown.get(name) != html:
                        shown[name], quiet_s = html, 0.0
                        yield f"event: section\ndata: {json.dumps({'id': name, 'html': html})}\n\n"
                if quiet_s >= REST_S:
                    quiet_s = 0.0
                    yield ": still here\n\n"
                await asyncio.sleep(LOOK_EVERY_S)
                quiet_s += LOOK_EVERY_S
        finally:
            self._watchers -= 1

    def _errors(self) -> list[Mapping[str, Any]]:
        return list(self._status.figures(DAY_S)["last_errors"])


def _asked(request: Request) -> tuple[str, str | None]:
    """The view and pipeline of a link. Raises BadRequest."""
    view = request.query_params.get("range", "24h")
    range_named(view)
    return view, pipeline_asked(request)
