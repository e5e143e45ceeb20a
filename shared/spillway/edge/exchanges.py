"""One request and its reply, as the endpoints pass them on."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from spillway.domain.callers import Caller
from spillway.edge.auth import caller_of
from spillway.edge.replies import Family, log, new_request_id, send_fault
from spillway.edge.requests import request_id
from spillway.ports import Served

Record = Callable[[Any], Awaitable[None]]


class Exchange:
    """What is known of one request, and whether its reply has begun."""

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        self.scope = scope
        self.receive = receive
        self._send = send
        self.headers = Headers(scope=scope)
        self.id = request_id(self.headers) or new_request_id()
        self.public_url = ""
        self.served: Served | None = None
        self.started = False
        self._record: Record | None = None

    def record_with(self, record: Record) -> None:
        """Let each message of the reply be seen before it goes out."""
        self._record = record

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return caller_of(self.scope)

    async def send(self, message: Any) -> None:
        """As ASGI's send."""
        self.started = True
        if self._record:
            await self._record(message)
        await self._send(message)

    async def told(self, error: Exception, family: Family) -> bool:
        """Whether an error could be the reply; where one has begun, it can't."""
        if self.started:
            log.error("request %s broke off", self.id, exc_info=error)
            return False
        await send_fault(self._send, error, family, self.id, self.served)
        return True
