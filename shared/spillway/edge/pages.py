"""What machines are told about the front door itself: health and figures."""

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from spillway.errors import BadRequest
from spillway.services.status import Status

_WINDOW = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
STRICT = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""What a page of ours may do in a browser: nothing but with what comes from here."""
HEALTH_PATHS = ("/healthz", "/readyz")
Page = Callable[[Request], Awaitable[Response]]


def window_seconds(text: str) -> float:
    """24h, 15m, 7d as seconds. Raises BadRequest."""
    match = _WINDOW.fullmatch(text)
    if not match:
        raise BadRequest("window must be a number and one of s, m, h, d: for example 24h", code="invalid_parameter")
    return float(match[1]) * _UNITS[match[2]]


class Health:
    """GET /healthz: the process answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        await JSONResponse({"status": "ok"})(scope, receive, send)


def stats(status: Status) -> Page:
    """GET /api/stats."""

    async def page(request: Request) -> Response:
        return JSONResponse(status.figures(window_seconds(request.query_params.get("window", "24h"))))

    return page
