"""Whether this process is traced, and its metrics sent on: only where a standard variable says where to.

OpenTelemetry is loaded only then; for metrics only when the first are sent, so that no start waits for it.
"""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from spillway.adapters.prometheus import Metrics
from spillway.errors import BadSettings
from spillway.ports import Collector, Values
from spillway.services.exporting import Exporting

if TYPE_CHECKING:
    from spillway.adapters.tracing import Tracing

INTERVAL, INTERVAL_MS = "OTEL_METRIC_EXPORT_INTERVAL", 60_000


def open_tracing() -> "Tracing | None":
    """None, and no library loaded, unless an endpoint is set and nothing switches traces off."""
    if not _asked("TRACES"):
        return None
    from spillway.adapters.tracing import Tracing  # noqa: PLC0415 (see above)

    return Tracing()


def open_exporting(metrics: Metrics, values: Callable[[], Awaitable[Values]]) -> Exporting | None:
    """None unless an endpoint is set and nothing switches metrics off. Raises BadSettings."""
    if not _asked("METRICS"):
        return None

    def collector() -> Collector:
        from spillway.adapters.otlp_metrics import OtlpMetrics  # noqa: PLC0415 (see above)

        return OtlpMetrics(metrics)

    return Exporting(values, collector, every_s=_interval_s())


def exported(app: ASGIApp, exporting: Exporting | None) -> ASGIApp:
    """The application; its metrics are sent on from its first call on, as before it there is no loop."""
    if exporting is None:
        return app

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        exporting.begin()
        await app(scope, receive, send)

    return call


def _asked(signal: Literal["TRACES", "METRICS"]) -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    return os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp") == "otlp" and any(map(os.environ.get, endpoints))


def _interval_s() -> float:
    given = os.environ.get(INTERVAL) or INTERVAL_MS
    try:
        interval_s = float(given) / 1000.0
    except ValueError:
        interval_s = 0.0
    if not 0.0 < interval_s < float("inf"):
        raise BadSettings(f"{INTERVAL} must be a number of milliseconds, not {given!r}")
    return interval_s
