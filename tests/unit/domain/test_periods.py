"""Stretches of time as people name them."""

import pytest

from spillway.domain.periods import begin_of, end_of

NOON = 1_795_694_400


def test_day_is_from_midnight_to_midnight() -> None:
    assert (begin_of("2026-11-26"), end_of("2026-11-26")) == (NOON - 43_200, NOON + 43_200)


@pytest.mark.parametrize("text", ["2026-11-26T12:00:00Z", "2026-11-26T13:00:00+01:00", "2026-11-26T12:00Z"])
def test_moment_is_itself(text: str) -> None:
    assert (begin_of(text), end_of(text)) == (NOON, NOON)


@pytest.mark.parametrize("text", ["", "today", "2026-13-01", "2026-11-26T12:00:00", "26.11.2026", "1" * 10_000])
def test_anything_else_is_refused_in_a_line(text: str) -> None:
    for read in (begin_of, end_of):
        with pytest.raises(ValueError) as caught:
            read(text)
        assert len(str(caught.value)) < 200


def test_end_of_time_is_not_passed() -> None:
    with pytest.raises(ValueError, match="end of time"):
        end_of("9999-12-31")
