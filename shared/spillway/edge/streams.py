"""A conversation as server-sent events, for either family."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from spillway.domain.event_stream import DONE, comment, encode
from spillway.edge.openai import ChunkWriter
from spillway.edge.replies import Family, Fault, RawHeaders, answer_headers
from spillway.errors import SpillwayError
from spillway.services.conversation import Conversation

# Several clients give up after 5 s of silence; until the first comment, headers can still name who answered.
FIRST_HEARTBEAT_S, HEARTBEAT_S = 4.5, 3.0
Write = Callable[[Any], Any]


async def send_stream(
    conversation: Conversation, writer: ChunkWriter, send: Write, family: Family, request_id: str
) -> None:
    """Send the whole stream. Raises what went wrong as long as nothing has been sent.

    Live, the reply begins with the first word, so its headers name who gave it and an error has a status of its own.
    An answer that is held back begins after a heartbeat's time at the latest: comments keep the connection alive, and
    who served it is then told in a comment before the first chunk.
    """
    stream = _Stream(conversation, send, request_id)
    async with aclosing(conversation.chunks()) as chunks:
        try:
            async for chunk in _with_heartbeats(chunks):
                if chunk is None:
                    await stream.heartbeat()
                    continue
                await stream.data(writer.chunk(chunk))
            await stream.data(writer.last())
            await stream.end(encode(DONE))
        except SpillwayError as error:
            if not stream.started:
                raise
            await stream.end(_in_band(error, family, request_id))


class _Stream:
    def __init__(self, conversation: Conversation, send: Write, request_id: str):
        self._conversation = conversation
        self._send = send
        self._request_id = request_id
        self._named = False
        self.started = False

    async def heartbeat(self) -> None:
        if self._conversation.held_back:
            await self._start()
        if self.started:
            await self._write(comment())

    async def data(self, chunk: dict[str, Any] | None) -> None:
        if chunk is None:
            return
        served = self._conversation.served
        late = self.started and not self._named
        await self._start()
        if late:
            self._named = True
            await self._write(comment(f"served-by {served.served_by}, attempts {len(served.attempts) + 1}"))
        await self._write(b"data: " + to_json(chunk) + b"\n\n")

    async def end(self, last: bytes) -> None:
        await self._start()
        await self._send({"type": "http.response.body", "body": last})

    async def _start(self) -> None:
        if self.started:
            return
        self.started = True
        served = self._conversation.served
        self._named = bool(served.served_by)
        headers: RawHeaders = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            *answer_headers(served, self._request_id, under_way=True),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


def _in_band(error: SpillwayError, family: Family, request_id: str) -> bytes:
    return encode(Fault(error, request_id).rendered(family).decode(), event="error")


async def _with_heartbeats(chunks: AsyncIterator[dict[str, Any]]) -> AsyncGenerator[dict[str, Any] | None, None]:
    """The chunks, and None for every heartbeat's time without one."""
    waiting: asyncio.Task[dict[str, Any]] | None = None
    patience_s = FIRST_HEARTBEAT_S
    try:
        while True:
            if waiting is None:
                waiting = asyncio.ensure_future(anext(chunks))
            done, _ = await asyncio.wait({waiting}, timeout=patience_s)
            patience_s = HEARTBEAT_S
            if not done:
                yield None
                continue
            finished, waiting = waiting, None
            try:
                chunk = finished.result()
            except StopAsyncIteration:
                return
            yield chunk
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.wait({waiting})
