"""The page, its gallery and its votes."""

import asyncio
import re
from collections.abc import Mapping
from http.cookies import SimpleCookie
from importlib import resources
from typing import Any, cast, get_args

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from spillway.domain.gallery import Entry, Order
from spillway.edge.auth import caller_of
from spillway.edge.pages import STRICT
from spillway.errors import BadRequest, MediaBroken, NotAllowed
from spillway.services.gallery import Gallery, new_browser

COOKIE, YEAR_S = "spillway-browser", 31_536_000
_BROWSER = re.compile(r"[A-Za-z0-9_-]{16,64}")
LARGEST_BODY = 16 * 1024
USUAL, MOST = 60, 200
GIFS_AT_ONCE = 2


class GifCompetition:
    """Everything below /gif and /api/gif."""

    def __init__(self, gallery: Gallery):
        self._gallery = gallery
        self._making = asyncio.Semaphore(GIFS_AT_ONCE)

    def routes(self) -> list[Route]:
        """For the application."""
        return [
            Route("/gif", _page, methods=["GET"]),
            Route("/api/gif/entries", self._entries, methods=["GET"]),
            Route("/api/gif/entries", self._enter, methods=["POST"]),
            Route("/api/gif/entries/{entry_id}/votes", self._vote, methods=["POST"]),
            Route("/api/gif/entries/{entry_id}", self._entry, methods=["GET"]),
            Route("/api/gif/entries/{entry_id}", self._hide, methods=["DELETE"]),
        ]

    async def _entries(self, request: Request) -> Response:
        order, limit = request.query_params.get("order", "new"), request.query_params.get("limit", str(USUAL))
        if order not in get_args(Order):
            raise BadRequest("order must be new or top", code="invalid_parameter", param="order")
        if not limit.isdigit() or not 1 <= int(limit[:9]) <= MOST:
            raise BadRequest(f"limit must be from 1 to {MOST}", code="invalid_parameter", param="limit")
        found = await self._gallery.entries(cast("Order", order), int(limit))
        return JSONResponse({"entries": [_shown(one) for one in found]})

    async def _entry(self, request: Request) -> Response:
        return JSONResponse(_shown(await self._gallery.entry(request.path_params["entry_id"])))

    async def _enter(self, request: Request) -> Response:
        asked = await _read(request)
        job_id = asked.get("job")
        if not isinstance(job_id, str):
            raise BadRequest(
                "job is required: the id of a finished image-to-video job", code="missing_field", param="job"
            )
        async with self._making:
            try:
                entry = await self._gallery.enter(
                    job_id, caller_of(request.scope), asked.get("prompt", ""), asked.get("name", "")
                )
            except MediaBroken as error:
                raise BadRequest(f"no GIF can be made of it: {error}", status=422, code="broken_video") from error
        return JSONResponse(_shown(entry), status_code=201, headers={"location": f"/gif#{entry.id}"})

    async def _vote(self, request: Request) -> Response:
        """One a browser and address; a browser is known again by its cookie."""
        browser = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
        named = browser.value if browser and _BROWSER.fullmatch(browser.value) else new_browser()
        entry = await self._gallery.vote(request.path_params["entry_id"], named, caller_of(request.scope).id)
        response = JSONResponse(_shown(entry))
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, named, max_age=YEAR_S, httponly=True, samesite="strict", secure=secure)
        return response

    async def _hide(self, request: Request) -> Response:
        if "admin" not in caller_of(request.scope).scopes:
            raise NotAllowed("only the operator may take an entry away", code="scope")
        await self._gallery.hide(request.path_params["entry_id"])
        return Response(status_code=204)


async def _page(_: Request) -> Response:
    html = resources.files("spillway.edge.gif").joinpath("page.html").read_text(encoding="utf-8")
    return HTMLResponse(html, headers=STRICT)


async def _read(request: Request) -> Mapping[str, Any]:
    """A small JSON object. Raises BadRequest."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise BadRequest("the body is too large", status=413, code="body_too_large")
    try:
        given = from_json(body)
    except ValueError as error:
        raise BadRequest("the body is not JSON", code="malformed_body") from error
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object", code="malformed_body")
    return given


def _shown(entry: Entry) -> dict[str, Any]:
    """An entry as everybody may see it; URLs are relative to the front door."""
    return {
        "id": entry.id,
        "prompt": entry.prompt,
        "name": entry.name,
        "gif": f"artifacts/{entry.gif}",
        "video": f"artifacts/{entry.video}",
        "width": entry.width,
        "height": entry.height,
        "served_by": entry.served_by,
        "at": entry.at,
        "votes": entry.votes,
    }
