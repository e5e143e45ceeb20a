"""Where a request stands in a trace: W3C's `traceparent`, and Google's older header."""

import re
from dataclasses import dataclass

TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([01]))?")
NO_TRACE, NO_SPAN = "0" * 32, "0" * 16


@dataclass(frozen=True, slots=True)
class TraceContext:
    """`trace_id` is 32 hexadecimal digits; `span_id`, the caller's own span, 16 or empty."""

    trace_id: str
    span_id: str
    sampled: bool


def read_trace_context(traceparent: str | None, cloud_trace: str | None = None) -> TraceContext | None:
    """What the headers say; W3C's is believed first, and one that is malformed is none."""
    return _w3c(traceparent or "") or _cloud(cloud_trace or "")


def _w3c(text: str) -> TraceContext | None:
    """https://www.w3.org/TR/trace-context/#traceparent-header: version 00 has four parts, later ones may have more."""
    found = TRACEPARENT.fullmatch(text.strip())
    if not found:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace_id == NO_TRACE or span_id == NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))


def _cloud(text: str) -> TraceContext | None:
    """`TRACE_ID/SPAN_ID;o=1`, the span in decimal digits."""
    found = CLOUD_TRACE.fullmatch(text.strip())
    if not found or found[1] == NO_TRACE:
        return None
    span = int(found[2] or 0)
    return TraceContext(found[1].lower(), f"{span:016x}" if 0 < span < 2**64 else "", found[3] == "1")
