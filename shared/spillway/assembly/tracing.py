"""Whether this process is traced: only where a standard variable says where to."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spillway.adapters.tracing import Tracing

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def open_tracing() -> "Tracing | None":
    """None, and no library loaded, unless an endpoint is set and nothing switches traces off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp" or not any(map(os.environ.get, ENDPOINTS)):
        return None
    from spillway.adapters.tracing import Tracing  # noqa: PLC0415 (OpenTelemetry is loaded only where it is asked for)

    return Tracing()
