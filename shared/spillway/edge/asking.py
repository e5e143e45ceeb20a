"""Which request is being answered, for what is logged meanwhile."""

from contextvars import ContextVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from spillway.domain.trace_context import TraceContext, read_trace_context


class Asked:
    """A request, without what it says: a path's query may hold a caller's words."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope):
        """Nothing is read before something is logged: few requests are."""
        self._scope = scope

    @property
    def method(self) -> str:
        """GET, POST …"""
        return str(self._scope["method"])

    @property
    def path(self) -> str:
        """Without the query."""
        return str(self._scope["path"])

    @property
    def trace(self) -> TraceContext | None:
        """The trace that it belongs to."""
        headers = Headers(scope=self._scope)
        return read_trace_context(headers.get("traceparent"), headers.get("x-cloud-trace-context"))


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


def asked() -> Asked | None:
    """The request that this task, or the one that it came from, answers."""
    return _asked.get()


def now_asked(scope: Scope) -> None:
    """From here on, this task answers this request; a server gives each request a task of its own."""
    _asked.set(Asked(scope))


class Asking:
    """An application whose requests are known to what is logged."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        if scope["type"] == "http":
            now_asked(scope)
        await self._app(scope, receive, send)
