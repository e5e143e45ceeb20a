"""The worker's way to the subnet: a call between the house's own functions, so that one place decides on all tries.

`POST /internal/subnet/{pipeline}` takes a request as its caller sent it. The reply is one JSON object a line: `waiting`
every few seconds, `started` when the try begins, and at the end `result` or `failed`.
"""

import asyncio
import hmac
from contextlib import closing
from typing import Any

from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from spillway.domain.callers import NOBODY
from spillway.domain.carried_errors import carried
from spillway.domain.pipelines import Pipeline
from spillway.domain.requests import Terms
from spillway.edge.bodies import Body, CallerGone, Room
from spillway.edge.presence import while_present
from spillway.edge.replies import Family, log, new_request_id, send_fault
from spillway.edge.requests import read_request, read_terms
from spillway.errors import BadRequest, CallerError, Overflow, SpillwayError
from spillway.ports.running import SubnetDoor

HEARTBEAT_S = 3.0
LONGEST_PATIENCE_S = 3600.0
PATH = "/internal/subnet"
KEY, PATIENCE, PUBLIC_URL = "x-spillway-internal-key", "x-spillway-patience", "x-spillway-public-url"
PLACE = "x-spillway-place"
_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-ndjson")]}
Line = dict[str, Any]


class SubnetEndpoint:
    """An ASGI application for one pipeline, for whoever has the key."""

    def __init__(self, pipeline: Pipeline, door: SubnetDoor, room: Room, key: str):
        self._pipeline, self._door, self._room = pipeline, door, room
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        headers = Headers(scope=scope)
        try:
            self._admit(headers)
            with closing(await self._room.read(scope, receive)) as body:
                async with while_present(receive):
                    await self._told(headers, body, send)
        except CallerGone:
            return
        except SpillwayError as error:
            await send_fault(send, error, Family.PROBLEM, new_request_id())

    def _admit(self, headers: Headers) -> None:
        if not hmac.compare_digest(headers.get(KEY, "").encode(), self._key):
            raise BadRequest("this path is for the house's own functions", status=401, code="unauthorized")

    async def _told(self, headers: Headers, body: Body, send: Send) -> None:
        lines: asyncio.Queue[Line] = asyncio.Queue()
        trying = asyncio.create_task(self._try(headers, body, lines))
        try:
            await send(_START)
            while not (trying.done() and lines.empty()):
                line = await _next(lines)
                last = line["event"] in ("result", "failed")
                await send({"type": "http.response.body", "body": to_json(line) + b"\n", "more_body": not last})
        finally:
            trying.cancel()
            await asyncio.wait([trying])

    async def _try(self, headers: Headers, body: Body, lines: "asyncio.Queue[Line]") -> None:
        async def started() -> None:
            lines.put_nowait({"event": "started"})

        try:
            request = await read_request(self._pipeline, headers, body)
            result = await self._door.infer(request, _terms(headers), _patience_s(headers), started)
            lines.put_nowait({"event": "result", "body": result.body, "model": result.model})
        except (Overflow, CallerError) as error:
            lines.put_nowait({"event": "failed", "error": carried(error)})
        except Exception as error:  # noqa: BLE001 (a line says so: the reply has begun)
            log.error("a job's try failed inside", exc_info=error)
            lines.put_nowait({"event": "failed", "error": {"message": "the gateway failed inside"}})


async def _next(lines: "asyncio.Queue[Line]") -> Line:
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            return await lines.get()
    except TimeoutError:
        return {"event": "waiting"}


def _terms(headers: Headers) -> Terms:
    given = read_terms(headers, headers.get(PUBLIC_URL, ""), NOBODY)
    return Terms(prefer=given.prefer, public_url=given.public_url, place=headers.get(PLACE, ""))


def _patience_s(headers: Headers) -> float:
    try:
        return min(max(0.0, float(headers.get(PATIENCE, 0.0))), LONGEST_PATIENCE_S)
    except ValueError as error:
        raise BadRequest(f"{PATIENCE} must be a number of seconds", code="invalid_header") from error
