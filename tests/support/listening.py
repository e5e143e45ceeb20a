"""A caller that listens to a job's events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(slots=True)
class Event:
    """One event, or a comment (`event` is then empty); `at` in monotonic seconds."""

    event: str
    data: Any
    id: str | None = None
    at: float = 0.0


@dataclass(slots=True)
class Events:
    """What has come so far; `ended` where the server has ended the stream."""

    status: int
    headers: httpx.Headers
    got: list[Event] = field(default_factory=list)
    ended: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def changes(self) -> list[tuple[str | None, str]]:
        """Ids and statuses of the changes."""
        return [(event.id, event.data["status"]) for event in self.got if event.event == "job"]

    def jobs(self) -> list[Any]:
        """The changes' bodies."""
        return [event.data for event in self.got if event.event == "job"]

    async def until_changes(self, count: int, within_s: float = 20.0) -> None:
        """Wait for so many changes."""
        await self._until(lambda: len(self.changes()) >= count, within_s)

    async def until_event(self, kind: str, within_s: float = 20.0) -> Event:
        """Wait for the first event of a kind; a comment's is empty."""
        await self._until(lambda: any(event.event == kind for event in self.got), within_s)
        return next(event for event in self.got if event.event == kind)

    async def until_end(self, within_s: float = 20.0) -> None:
        """Wait until the server ends the stream."""
        await self._until(lambda: self.ended, within_s)

    async def _until(self, fits: Any, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not fits():
                self._news.clear()
                await self._news.wait()

    async def read(self, response: httpx.Response) -> None:
        """Take in the stream to its end."""
        block: list[str] = []
        async for line in response.aiter_lines():
            if line:
                block.append(line)
                continue
            self._take(block)
            block = []
        self.ended = True
        self._news.set()

    def _take(self, block: list[str]) -> None:
        fields = dict(line.split(": ", 1) for line in block)
        if "" in fields:
            self.got.append(Event("", fields[""], at=time.monotonic()))
        elif "data" in fields:
            event = Event(fields["event"], json.loads(fields["data"]), fields.get("id"), time.monotonic())
            self.got.append(event)
        self._news.set()


@asynccontextmanager
async def listening(client: httpx.AsyncClient, url: str, last_event_id: str | None = None) -> AsyncIterator[Events]:
    """Listen at /jobs/{id}/events until the block is left."""
    headers = {} if last_event_id is None else {"last-event-id": last_event_id}
    async with client.stream("GET", url, headers=headers) as response:
        events = Events(response.status_code, response.headers)
        reading = asyncio.create_task(events.read(response))
        try:
            yield events
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
