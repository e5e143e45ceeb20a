"""Moments are written in one way and read back."""

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.moments import epoch_seconds, rfc3339


def test_a_moment_is_cut_not_rounded() -> None:
    at = 1_795_694_400.9996
    assert rfc3339(at) == "2026-11-26T12:00:00Z"
    assert rfc3339(at, milliseconds=True) == "2026-11-26T12:00:00.999Z"


@given(st.integers(0, 4_102_444_800))
def test_what_was_written_is_read(at: int) -> None:
    assert epoch_seconds(rfc3339(at)) == at
