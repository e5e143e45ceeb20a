"""A crowd that listens to jobs: as cheap as callers can be, so that what is measured is the front door."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

TIMES = {"queued": "created_at", "running": "started_at", "succeeded": "finished_at", "failed": "finished_at",
         "canceled": "finished_at"}  # fmt: skip
STARTING_AT_ONCE = 50


@dataclass(slots=True)
class Crowd:
    """What all of them heard. `delays_s`: from each change's time to its event, on one machine's clock."""

    connected: int = 0
    ended: int = 0
    delays_s: list[float] = field(default_factory=list)
    gaps: int = 0

    def quantile_s(self, q: float) -> float:
        """Of the delays, by nearest rank."""
        ordered = sorted(self.delays_s)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]

    def hear(self, job: dict[str, Any], sequence: int, last: int) -> None:
        """One change; those that were there before the listener came are not timed."""
        self.gaps += sequence != last + 1
        if sequence > 1:
            changed_at = datetime.fromisoformat(job[TIMES[job["status"]]]).timestamp()
            self.delays_s.append(time.time() - changed_at)


@asynccontextmanager
async def listening(urls: Iterable[str]) -> AsyncIterator[tuple[Crowd, "asyncio.Future[Any]"]]:
    """Each URL of events has a listener; the future is done when all streams have ended in order."""
    crowd, room = Crowd(), asyncio.Semaphore(STARTING_AT_ONCE)
    tasks = [asyncio.create_task(_listen(url, crowd, room)) for url in urls]
    try:
        while crowd.connected < len(tasks):
            failed = next((task for task in tasks if task.done() and task.exception()), None)
            if failed:
                await failed
            await asyncio.sleep(0.02)
        yield crowd, asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(url: str, crowd: Crowd, room: asyncio.Semaphore) -> None:
    parts = urlsplit(url)
    async with room:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise ConnectionError(f"{url}: {status.decode().strip()}")
    crowd.connected += 1
    try:
        await _hear(reader, crowd)
    finally:
        writer.close()


async def _hear(reader: asyncio.StreamReader, crowd: Crowd) -> None:
    """Read to the last chunk. Sizes of chunks stand on lines of their own and are none of an event's."""
    kind, sequence, last = b"", 0, 0
    while line := (await reader.readline()).rstrip():
        pass
    while line := await reader.readline():
        name, _, value = line.rstrip().partition(b": ")
        if name == b"event":
            kind = value
        elif name == b"id":
            sequence = int(value)
        elif name == b"data" and kind == b"job":
            crowd.hear(json.loads(value), sequence, last)
            last = sequence
        elif name == b"0":
            crowd.ended += 1
            return
