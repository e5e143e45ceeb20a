"""Idempotency-Key on a POST: the reply is recorded as it goes out, and given again to whoever repeats the request."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from starlette.types import Message

from spillway.edge.bodies import Body
from spillway.edge.exchanges import Exchange
from spillway.edge.multipart import Multipart, is_multipart
from spillway.edge.replies import Family, answer_headers, send_fault
from spillway.errors import BadRequest
from spillway.services.idempotency import Answer, Claim, Idempotency

KEPT_HEADERS = frozenset(
    (b"content-type", b"location", b"preference-applied", b"cache-control", b"x-accel-buffering", b"server-timing",
     b"x-spillway-served-by", b"x-spillway-model", b"x-spillway-attempts")
)  # fmt: skip


class Once:
    """Answers requests that carry a key, once each."""

    def __init__(self, idempotency: Idempotency):
        self._idempotency = idempotency

    async def answer(self, exchange: Exchange, body: Body, family: Family, make: Callable[[], Awaitable[None]]) -> None:
        """The kept reply, or the one that `make` sends now. Raises what `Idempotency.begin` does.

        A request with a key is done to its end even if its caller hangs up: the answer waits for the next try. One that
        Spillway itself refuses is not kept.
        """
        key, print_ = exchange.headers["idempotency-key"], await fingerprint(exchange, body)
        begun = await self._idempotency.begin(exchange.caller.id, key, print_)
        if isinstance(begun, Answer):
            await _replay(exchange, begun)
            return
        async with begun:
            exchange.receive = _stays
            exchange.record_with(_Recording(begun).take)
            try:
                await make()
            except Exception as error:
                # Where the request itself is wrong nothing was begun: once mended, a header too, it may keep its key.
                if exchange.started or isinstance(error, BadRequest):
                    raise
                await send_fault(exchange.send, error, family, exchange.id, exchange.served)


async def _stays() -> Message:
    """As ASGI's receive of a caller who never leaves."""
    left: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await left


class _Recording:
    """What is sent, until it is whole; its end is sent only when all of it is kept."""

    def __init__(self, claim: Claim):
        self._claim = claim
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    async def take(self, message: Any) -> None:
        """One message, before it goes out."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode(), value.decode("latin-1")) for name, value in message["headers"] if name in KEPT_HEADERS
            ]
            return
        self._body += message.get("body", b"")
        answer = Answer(self._status, self._headers, bytes(self._body))
        if not message.get("more_body") and answer.final:
            await self._claim.keep(answer)


async def _replay(exchange: Exchange, answer: Answer) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    length = (b"content-length", str(len(answer.body)).encode())
    marks = [length, (b"idempotent-replayed", b"true"), *answer_headers(None, exchange.id)]
    start = {"type": "http.response.start", "status": answer.status, "headers": [*headers, *marks]}
    await exchange.send(start)
    await exchange.send({"type": "http.response.body", "body": answer.body})


async def fingerprint(exchange: Exchange, body: Body) -> str:
    """What tells one request from another: its path and its body.

    A form is taken by its parts, as clients that build it again draw a new boundary. Raises BadRequest.
    """
    return await asyncio.to_thread(_fingerprint, exchange, body)


def _fingerprint(exchange: Exchange, body: Body) -> str:
    digest = sha256(exchange.scope["path"].encode() + b"\n")
    content_type = exchange.headers.get("content-type", "")
    if not is_multipart(content_type):
        digest.update(body.all())
        return digest.hexdigest()
    for part in Multipart(body, content_type).parts:
        digest.update(
            repr((part.name, part.filename, part.headers.get("content-type"), part.end - part.start)).encode()
        )
        for piece in body.pieces(part.start, part.end):
            digest.update(piece)
    return digest.hexdigest()
