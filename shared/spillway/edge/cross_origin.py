"""Web pages elsewhere may use the front door where a key names their origin.

A browser asks first, without a key, so the answer is for any key's origins. A reply then carries the permission to read
it only where the key that was used names the page, and refusals where any key does, so that a page sees why.
No credentials of the browser's own are allowed: keys are sent by the page's script.
"""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spillway.edge.auth import Entrance, known_caller
from spillway.edge.replies import Family, RawHeaders, new_request_id, send_fault
from spillway.errors import NotAllowed, SpillwayError

METHODS = b"GET, POST, DELETE"
MAX_AGE_S = 600
EXPOSED = (
    b"x-request-id, x-spillway-served-by, x-spillway-model, x-spillway-attempts, server-timing, retry-after, location, "
    b"preference-applied, idempotent-replayed, etag, www-authenticate"
)
_HEADER_NAMES = re.compile(rb"[A-Za-z0-9\-, ]{0,1000}")


class CrossOrigin:
    """An application before which browsers ask whether they may."""

    def __init__(self, app: ASGIApp, entrance: Entrance):
        self._app, self._entrance = app, entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        origin = _header(scope, b"origin") if scope["type"] == "http" else None
        if origin is None:
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method") is not None:
            await self._preflight(scope, origin, send)
        else:
            await self._app(scope, receive, _Permitting(scope, origin, await self._allowed(), send))

    async def _allowed(self) -> frozenset[str]:
        try:
            return await self._entrance.origins()
        except SpillwayError:
            return frozenset()

    async def _preflight(self, scope: Scope, origin: bytes, send: Send) -> None:
        try:
            allowed = await self._entrance.origins()
        except SpillwayError as error:
            await _refuse(send, error)
            return
        if origin.decode("latin-1") not in allowed:
            await _refuse(send, NotAllowed("no key may be used from this page", code="origin"))
            return
        asked = _header(scope, b"access-control-request-headers") or b""
        headers: RawHeaders = [
            *_permission(origin),
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", asked if _HEADER_NAMES.fullmatch(asked) else b"authorization"),
            (b"access-control-max-age", str(MAX_AGE_S).encode()),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class _Permitting:
    """An ASGI send that adds the permission to read the reply, where the page has it."""

    def __init__(self, scope: Scope, origin: bytes, allowed: frozenset[str], send: Send):
        self._scope, self._origin, self._allowed, self._send = scope, origin, allowed, send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            if b"access-control-allow-origin" not in names and self._may_read():
                message["headers"] = [*message["headers"], *_permission(self._origin)]
        await self._send(message)

    def _may_read(self) -> bool:
        caller = known_caller(self._scope)
        allowed = caller.origins if caller and caller.keyed else self._allowed
        return self._origin.decode("latin-1") in allowed


async def _refuse(send: Send, error: SpillwayError) -> None:
    await send_fault(send, error, Family.PROBLEM, new_request_id())


def _permission(origin: bytes) -> RawHeaders:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED),
        (b"vary", b"origin"),
    ]


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)
