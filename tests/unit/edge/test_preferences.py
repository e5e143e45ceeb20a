"""The Prefer header, as RFC 7240 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from spillway.edge.preferences import LONGEST_WAIT_S, NONE, Preferences, read_preferences


def read(*values: str) -> Preferences:
    """The preferences of a request with these headers."""
    return read_preferences(Headers(raw=[(b"prefer", value.encode("latin-1")) for value in values]))


@pytest.mark.parametrize(
    ("given", "wants"),
    [
        (["respond-async"], Preferences(True, None)),
        (["Respond-Async"], Preferences(True, None)),
        (["wait=10"], Preferences(False, 10)),
        (['wait="10"'], Preferences(False, 10)),
        (["respond-async, wait=10"], Preferences(True, 10)),
        (["respond-async", "wait=10"], Preferences(True, 10)),
        (["wait=5, wait=50"], Preferences(False, 5)),
        (["handling=lenient; x=y, respond-async;foo"], Preferences(True, None)),
        (["wait = 7"], Preferences(False, 7)),
        (["wait=99999999999999"], Preferences(False, LONGEST_WAIT_S)),
        (["wait=0"], Preferences(False, 0)),
        (["wait=-1"], NONE),
        (["wait=1.5"], NONE),
        (["wait=abc"], NONE),
        (["wait"], NONE),
        (["respond-asynchronously"], NONE),
        (['x="respond-async"'], NONE),
        (['x="a, respond-async"'], NONE),
        ([""], NONE),
        ([], NONE),
    ],
)
def test_what_is_understood(given: list[str], wants: Preferences) -> None:
    assert read(*given) == wants


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=200))
def test_nothing_breaks_it(text: str) -> None:
    wanted = read(text)
    assert wanted.wait_s is None or 0 <= wanted.wait_s <= LONGEST_WAIT_S
