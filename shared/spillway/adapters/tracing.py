"""Traces by OpenTelemetry: a span for each request, and one inside it for each try of a backend.

Where they go, how many are kept and what they are called is said by the standard OTEL_ variables.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spillway.adapters.otlp_resource import resource
from spillway.domain.outcomes import kind_of
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest
from spillway.ports import Attempt, Chunks, Inference, Result, Served

Target = TypeVar("Target")
UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask for every few seconds."""
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PLACES = frozenset({"", "api", "artifacts", "assets", "gif", "hooks", "internal", "jobs", "openapi.json", "v1"}) | set(
    PIPELINES
)
"""First parts of paths: what comes after them is somebody's id, and what else is asked for may be anything."""


class Tracing:
    """The spans of one process. What is not exported when it ends is exported then."""

    def __init__(self) -> None:
        provider = TracerProvider(resource=resource())
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._provider, self._tracer = provider, provider.get_tracer("spillway")

    def application(self, app: ASGIApp) -> ASGIApp:
        """The application, each of its requests in a span that belongs to the caller's trace."""
        return _Application(app, self._tracer)

    def backend(self, inference: Inference[Target], name: str) -> Inference[Target]:
        """The backend, each of its tries in a span."""
        return _Backend(inference, name, self._tracer)

    def carried(self) -> Mapping[str, str]:
        """The headers by which what is asked now belongs to the span of this moment."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    def record(self, served: Served) -> None:
        """Adapter of ports.Ledger: the spans of a request and of its tries say what became of them."""
        trace.get_current_span().set_attributes(
            {
                "spillway.pipeline": served.pipeline,
                "spillway.model": served.model,
                "spillway.served_by": served.served_by,
                "spillway.outcome": served.outcome,
                "spillway.fallback_usd": served.usd,
            }
        )
        if tries := _tries.get():
            for attempt in served.attempts:
                tries.became(attempt, served.reason)

    def close(self) -> None:
        """Export what is left; it may take seconds, so not in the event loop."""
        self._provider.shutdown()


class _Application:
    def __init__(self, app: ASGIApp, tracer: trace.Tracer):
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        came_from = propagate.extract(dict(Headers(scope=scope)))
        attributes = {"http.request.method": method, "url.path": path}
        with self._tracer.start_as_current_span(_name(method, path), came_from, SpanKind.SERVER, attributes) as span:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _status(span, message["status"])
                await send(message)

            tries = _Tries()
            _tries.set(tries)
            try:
                await self._app(scope, receive, told)
            finally:
                tries.close()


class _Tries:
    """The tries of one request that are over, until the ledger says what became of them.

    A backend's own word is not the last: its answer may come too late, or turn out to be broken.
    """

    def __init__(self) -> None:
        self._over: list[tuple[str, Span, int]] = []
        self._closed = False

    def over(self, backend: str, span: Span) -> None:
        """A try has ended now."""
        if self._closed:
            span.end()
        else:
            self._over.append((backend, span, time.time_ns()))

    def became(self, attempt: Attempt, reason: str) -> None:
        """The ledger's word on the first of them at this backend; `reason` is why the policy sent it there."""
        found = next((one for one in self._over if one[0] == attempt.backend), None)
        if found is None:
            return
        self._over.remove(found)
        _, span, at = found
        span.set_attributes({"spillway.outcome": attempt.outcome, "spillway.reason": reason})
        if attempt.outcome != "served":
            # Not in the backend's words: it may repeat what it was sent.
            span.set_status(StatusCode.ERROR)
        span.end(at)

    def close(self) -> None:
        """The request is over: what still runs is nobody's any more, and ends by itself."""
        self._closed = True
        for _, span, at in self._over:
            span.end(at)


_tries: ContextVar[_Tries | None] = ContextVar("tries", default=None)


class _Backend(Generic[Target]):
    """Adapter of ports.Inference around another."""

    def __init__(self, inference: Inference[Target], name: str, tracer: trace.Tracer):
        self._inference, self._name, self._tracer = inference, name, tracer

    async def infer(self, request: InferenceRequest, target: Target, timeout_s: float) -> Result:
        """One whole answer, in a span."""
        span = self._began(request)
        with self._ending(span), trace.use_span(span, record_exception=False, set_status_on_exception=False):
            return await self._inference.infer(request, target, timeout_s)

    async def stream(self, request: InferenceRequest, target: Target, timeout_s: float) -> Chunks:
        """Chat chunks in a span, which is the current one only while the backend is asked."""
        span = self._began(request)
        with self._ending(span):
            async with aclosing(self._inference.stream(request, target, timeout_s)) as chunks:
                while True:
                    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    yield chunk

    async def close(self) -> None:
        """Finish what goes on in the background."""
        await self._inference.close()

    def _began(self, request: InferenceRequest) -> Span:
        attributes = {"spillway.backend": self._name, "spillway.pipeline": request.pipeline.name}
        return self._tracer.start_span(f"try {self._name}", kind=SpanKind.CLIENT, attributes=attributes)

    @contextmanager
    def _ending(self, span: Span) -> Iterator[None]:
        """The backend's word on a try, which the ledger's may replace."""
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            span.set_attribute("spillway.outcome", kind_of(error))
            tries = _tries.get()
            if tries:
                tries.over(self._name, span)
            else:
                span.end()


def _name(method: str, path: str) -> str:
    """One of few, whatever callers make up."""
    named = method if method in _METHODS else "HTTP"
    place = path.removeprefix("/").partition("/")[0]
    return f"{named} /{place}" if path.startswith("/") and place in _PLACES else named


def _status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
