"""Headers that say where a request stands in a trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.trace_context import TraceContext, read_trace_context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [(f"00-{TRACE}-{SPAN}-01", True), (f"00-{TRACE}-{SPAN}-00", False), (f"cc-{TRACE}-{SPAN}-03-later", True)],
)
def test_w3c_header_is_read(header: str, sampled: bool) -> None:
    assert read_trace_context(header) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_malformed_w3c_header_is_none(header: str) -> None:
    assert read_trace_context(header) is None


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (f"{TRACE}/67667974448284343;o=1", TraceContext(TRACE, SPAN, sampled=True)),
        (f"{TRACE.upper()}/67667974448284343", TraceContext(TRACE, SPAN, sampled=False)),
        (TRACE, TraceContext(TRACE, "", sampled=False)),
        (f"{TRACE}/0;o=1", TraceContext(TRACE, "", sampled=True)),
        (f"{TRACE}/99999999999999999999", TraceContext(TRACE, "", sampled=False)),
        ("0" * 32, None),
        ("x/1", None),
    ],
)
def test_googles_header_is_read_where_there_is_no_other(header: str, known: TraceContext | None) -> None:
    assert read_trace_context(None, header) == known
    assert read_trace_context("malformed", header) == known
    assert read_trace_context(f"00-{'a' * 32}-{SPAN}-01", header) == TraceContext("a" * 32, SPAN, sampled=True)


@given(st.text(), st.text())
def test_any_header_is_read_without_a_fault(one: str, other: str) -> None:
    found = read_trace_context(one, other)
    assert found is None or len(found.trace_id) == 32
