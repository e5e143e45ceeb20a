"""A receiver of webhooks on loopback: answers as a test tells it to, and keeps what came."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_" + "c3BpbGx3YXktdGVzdHMtc2lnbi13aXRoLXRoaXM="


@dataclass(slots=True)
class Received:
    """One request: when it came, in monotonic seconds, its headers and its body."""

    at: float
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str = SECRET) -> Any:
        """The body as JSON. Raises where the signature is not of this secret."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(slots=True)
class Receiver:
    """`statuses` are answered in turn, the last one for ever; a location goes with redirects."""

    url: str
    statuses: list[int]
    location: str = ""
    received: list[Received] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Keep, and answer."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(time.monotonic(), headers, await request.read()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"location": self.location} if self.location else None)


@asynccontextmanager
async def receiving(statuses: Iterable[int] = (200,)) -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver("", list(statuses))
    async with serving(receiver.handle) as url:
        receiver.url = f"{url}/hook"
        yield receiver


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """An HTTP server that has one answer to everything; gives its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
