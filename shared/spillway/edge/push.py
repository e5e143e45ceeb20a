"""Calls of Google's own services: Pub/Sub's pushes in their wrapped form, and Cloud Scheduler's timed ones."""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from spillway.edge.asking import now_asked
from spillway.edge.replies import Family, Fault, new_request_id
from spillway.errors import BadRequest, CallerError, SpillwayError
from spillway.ports.push import Tokens

log = logging.getLogger("spillway.push")

# Pub/Sub's limit for a message is 10 MB, which base64 makes a third longer.
LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic. `id` is the same each time it is delivered."""

    id: str
    data: bytes = b""
    attributes: Mapping[str, str] = field(default_factory=dict)
    subscription: str = ""


def read_message(body: bytes) -> Message:
    """The message of a push body, as production and the emulator wrap it. Raises BadRequest."""
    try:
        envelope = from_json(body)
        message = envelope["message"]
        data = base64.b64decode(message.get("data") or "", validate=True)
        attributes = {str(name): str(value) for name, value in (message.get("attributes") or {}).items()}
        named = str(message.get("messageId") or message.get("message_id") or "")
        return Message(named, data, attributes, str(envelope.get("subscription", "")))
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise BadRequest("the body is no push of Pub/Sub in its wrapped form", code="malformed_push") from error


class Door:
    """Lets calls in: with a true token where `tokens` is given, all of them where it is None.

    A reply of 2xx acknowledges a message. Anything else brings it again, as the subscription says: 4xx for what was
    not let in or can't be read (its dead-letter topic takes it in the end), 503 for what may succeed another time.
    """

    def __init__(self, tokens: Tokens | None):
        self._tokens = tokens

    async def pushed(self, request: Request, handle: Callable[[Message], Awaitable[Response]]) -> Response:
        """The reply to a push; `handle` may raise any SpillwayError."""

        async def read() -> Response:
            return await handle(read_message(await _body(request)))

        return await self.called(request, read)

    async def called(self, request: Request, handle: Callable[[], Awaitable[Response]]) -> Response:
        """The reply to a call whose body says nothing, such as the scheduler's."""
        now_asked(request.scope)
        try:
            await self._admit(request.headers)
            return await handle()
        except SpillwayError as error:
            return _reply(error)

    async def _admit(self, headers: Headers) -> None:
        if self._tokens is None:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise BadRequest("an OIDC token is asked for here", status=401, code="no_token")
        await self._tokens.check(token.strip())


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise BadRequest("the message is larger than Pub/Sub's are", status=413, code="too_large")
    return body


def _reply(error: SpillwayError) -> Response:
    if not isinstance(error, CallerError):
        log.warning("left for another time: %s", error)
    fault = Fault(error, new_request_id())
    status = fault.status if isinstance(error, CallerError) else 503
    if not isinstance(error, CallerError):
        fault.status, fault.code, fault.message = status, "try_again", str(error)
    return Response(fault.rendered(Family.PROBLEM), status, fault.headers, "application/problem+json")
