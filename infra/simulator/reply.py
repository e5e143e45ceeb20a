"""Sending an answer, whole or as broken as a fault wants it: cut, ended early, stalled, with rubbish in the middle."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

from aiohttp import web

from simulator.faults import BODY, Fault

MIDWAY = BODY - {"no_end_marker"}
RUBBISH = b'data: {"choices":[{"delta":{"content":"half a li\n\n'
JSON = "application/json"
EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
DROPPED = web.RequestKey("dropped", bool)
NO_LINGER = struct.pack("ii", 1, 0)

# Bytes written just before an RST must have left the socket, or they are lost with it.
BEFORE_RESET_S = 0.02


def dump(payload: Any) -> bytes:
    """JSON as a compact Go or JavaScript server writes it, with a line's end."""
    return json.dumps(payload, separators=(",", ":")).encode() + b"\n"


async def forever() -> NoReturn:
    """Wait until the client leaves or the server stops."""
    await asyncio.get_running_loop().create_future()
    raise asyncio.CancelledError


async def drop(request: web.BaseRequest, *, reset: bool = False) -> NoReturn:
    """Close the connection without another byte, cleanly or with RST; the handler ends cancelled."""
    request[DROPPED] = True
    transport = request.transport
    if transport is None:
        raise asyncio.CancelledError
    if reset:
        _no_linger(transport)
        transport.abort()
    else:
        transport.close()
    await forever()


async def send(
    request: web.BaseRequest,
    payload: Any,
    fault: Fault | None = None,
    *,
    status: int = 200,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """A body (bytes as they are, anything else as JSON), broken in the middle if the fault is of that kind."""
    body = payload if isinstance(payload, bytes) else dump(payload)
    named = {"Content-Type": content_type, **(headers or {})}
    if fault is None or fault.kind not in MIDWAY:
        return web.Response(body=body, status=status, headers=named)
    response = web.StreamResponse(status=status, headers=named)
    if fault.kind not in {"clean_cut", "malformed_chunk"}:
        response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return await _break_off(request, response, fault)


async def stream(
    request: web.BaseRequest,
    events: Sequence[bytes],
    pause: Callable[[], Awaitable[None]],
    fault: Fault | None = None,
    *,
    end_markers: int = 0,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Server-sent events with a pause before each; the last `end_markers` of them say that the answer is whole."""
    kind = fault.kind if fault is not None else None
    response = web.StreamResponse(headers={**EVENTS, **(headers or {})})
    await response.prepare(request)
    words = len(events) - end_markers
    for index, event in enumerate(events if kind != "no_end_marker" else events[:words]):
        if fault is not None and kind in MIDWAY and index == max(1, words // 2):
            if kind != "malformed_chunk":
                return await _break_off(request, response, fault)
            await response.write(RUBBISH)
        await pause()
        await response.write(event)
    await response.write_eof()
    return response


async def _break_off(request: web.BaseRequest, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
    if fault.kind == "stall":
        await forever()
    if fault.kind == "cut":
        await asyncio.sleep(BEFORE_RESET_S)
        await drop(request, reset=True)
    await response.write_eof()
    return response


def _no_linger(transport: asyncio.Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
