"""/jobs/{id}/events: a job's changes as server-sent events, the same from every instance, and its progress between."""

import asyncio
import re
from typing import Any

from pydantic_core import to_json
from starlette.datastructures import Headers

from spillway.domain.event_stream import comment, encode
from spillway.domain.job_views import Outlook
from spillway.domain.jobs import Job
from spillway.edge.exchanges import Exchange
from spillway.edge.jobs import JobPage
from spillway.edge.presence import while_present
from spillway.edge.replies import answer_headers
from spillway.errors import StoreUnavailable
from spillway.ports import Clock
from spillway.services.changes import Topic
from spillway.services.job_views import JobViews

HEARTBEAT_S = 15.0
RECONNECT_MS = 2000
LEAST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 15.0
"""Between two looks at the progress of a job: the nearer it is, the more often."""


class JobEvents(JobPage):
    """GET /jobs/{id}/events."""

    async def _answer(self, exchange: Exchange, job_id: str) -> None:
        async with self._changes.listen(job_id) as topic:
            job = self._desk.own(topic.job if topic else None, exchange.caller)
            told = await self._told(exchange, job)
            if job.over and told >= job.sequence:
                # Nothing will ever follow: with 204 a browser's EventSource stops asking.
                await _begin(exchange, 204)
                await exchange.send({"type": "http.response.body", "body": b""})
                return
            await _begin(exchange, 200)
            if topic is None or exchange.scope["method"] == "HEAD":
                await exchange.send({"type": "http.response.body", "body": b""})
                return
            async with while_present(exchange.receive):
                await _Listening(exchange, topic, self._views, told, self._monotonic).run(job)

    async def _told(self, exchange: Exchange, job: Job) -> int:
        """The last change that the caller has; 0 where it has none, or names one that there never was."""
        told = _last_event_id(exchange.headers)
        if told <= job.sequence:
            return told
        # Another instance may have told a change that is not known here yet.
        job = await self._desk.find(job.id, exchange.caller)
        return told if told <= job.sequence else 0


async def _begin(exchange: Exchange, status: int) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        *answer_headers(None, exchange.id),
    ]
    await exchange.send({"type": "http.response.start", "status": status, "headers": headers})


def _last_event_id(headers: Headers) -> int:
    """The number that the caller names; 0 where it names none, or what is no number of ours."""
    given = headers.get("last-event-id", "").strip()
    return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else 0


class _Listening:
    """One caller listening to one job: `told` is the last change that it has."""

    def __init__(self, exchange: Exchange, topic: Topic, views: JobViews, told: int, monotonic: Clock):
        self._exchange, self._topic, self._views, self._told = exchange, topic, views, told
        self._monotonic = monotonic
        self._beat_at = monotonic() + HEARTBEAT_S
        self._look_at = monotonic()
        self._outlook: Outlook | None = None
        # Within the first event: some clients take a block of its own for an event without data.
        self._head = f"retry: {RECONNECT_MS}\n".encode()

    async def run(self, job: Job) -> None:
        """Send until the job has ended."""
        while True:
            await self._tell_changes(job)
            if job.over:
                await self._exchange.send({"type": "http.response.body", "body": b""})
                return
            await self._tell_progress(job)
            await self._beat()
            pause_s = min(self._beat_at, self._look_at) - self._monotonic()
            job = await self._topic.after(job.revision, max(0.05, pause_s))

    async def _tell_changes(self, job: Job) -> None:
        while self._told < job.sequence:
            sequence = self._told + 1
            body = to_json(await self._patiently(job, sequence)).decode()
            await self._tell(encode(body, event="job", event_id=str(sequence)))
            self._told = sequence
            self._look_at = self._monotonic()

    async def _patiently(self, job: Job, sequence: int) -> dict[str, Any]:
        """A change as it is told; while the result can't be read, heartbeats go on."""
        while True:
            try:
                return await self._views.change(job, sequence)
            except StoreUnavailable:
                await self._beat()
                await asyncio.sleep(1.0)

    async def _tell_progress(self, job: Job) -> None:
        now = self._monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LEAST_PAUSE_S
        try:
            outlook = await self._views.outlook(job)
        except StoreUnavailable:
            return
        self._look_at = now + min(max(LEAST_PAUSE_S, (outlook.eta_seconds or 0.0) / 10), LONGEST_PAUSE_S)
        if outlook != self._outlook:
            self._outlook = outlook
            await self._tell(encode(to_json(outlook.as_dict()).decode(), event="progress"))

    async def _beat(self) -> None:
        if self._monotonic() >= self._beat_at:
            self._beat_at = self._monotonic() + HEARTBEAT_S
            await self._write(comment("still here"))

    async def _tell(self, event: bytes) -> None:
        await self._write(self._head + event)
        self._head = b""

    async def _write(self, data: bytes) -> None:
        await self._exchange.send({"type": "http.response.body", "body": data, "more_body": True})
