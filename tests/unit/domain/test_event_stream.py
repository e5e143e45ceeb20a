"""Server-sent events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.event_stream import Event, EventDecoder, comment, encode

texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).filter(
    lambda text: not text.startswith(" ")
)


def decode(*pieces: bytes) -> list[Event]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


@given(st.lists(texts.filter(bool)), st.integers(1, 7))
def test_events_survive_any_cut(data: list[str], size: int) -> None:
    stream = b"".join(encode(text) + comment("x") for text in data)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert decode(*pieces) == [Event(text) for text in data]


def test_lines_of_one_event_are_joined() -> None:
    assert decode(b"event: output\ndata: a\ndata:b\nid: 3\n\n") == [Event("a\nb", "output")]


def test_carriage_returns_end_lines_too() -> None:
    assert decode(b"data: a\r\n\r\n", b"data: b\r\n\r", b"\n") == [Event("a"), Event("b")]


def test_event_that_is_cut_short_is_not_given_out() -> None:
    assert decode(b"data: whole\n\ndata: half") == [Event("whole")]


def test_rubbish_is_an_error() -> None:
    with pytest.raises(ValueError, match="decode"):
        decode(b"data: \xff\xfe\n\n")


def test_endless_line_is_an_error() -> None:
    decoder = EventDecoder(limit=100)
    with pytest.raises(ValueError, match="more than 100 bytes"):
        list(decoder.feed(b"data: " + b"x" * 200))
