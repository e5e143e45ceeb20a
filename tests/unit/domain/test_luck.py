"""How lucky winning tickets were, and how sure that is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.luck import EXACT_UP_TO, interval, luck


@pytest.mark.parametrize(
    # Garwood's intervals as tables of statistics have them.
    ("count", "low", "high"),
    [
        (0, 0.0, 3.689),
        (1, 0.0253, 5.572),
        (5, 1.623, 11.668),
        (10, 4.795, 18.390),
        (57, 43.17, 73.85),
        (100, 81.36, 121.63),
    ],
)
def test_interval_is_the_exact_one(count: int, low: float, high: float) -> None:
    assert interval(count) == (pytest.approx(low, rel=2e-3, abs=1e-4), pytest.approx(high, rel=2e-3))


def test_large_numbers_go_on_where_small_ones_end() -> None:
    below, above = interval(EXACT_UP_TO), interval(EXACT_UP_TO + 1)
    assert all(0 < after - before < 2 for before, after in zip(below, above, strict=True))


@given(st.integers(1, 10**6))
def test_interval_holds_its_count_and_narrows(count: int) -> None:
    low, high = interval(count)
    assert low < count < high
    assert high - low < 6 * math.sqrt(count) + 6


def test_luck_is_what_was_won_over_what_was_expected() -> None:
    found = luck(57, 57 * 10**15, 50 * 10**15)
    assert found is not None
    assert (found.ratio, round(found.low, 2), round(found.high, 2)) == (1.14, 0.86, 1.48)


@pytest.mark.parametrize(("won", "expected"), [(0, 1e15), (3, 0.0)])
def test_luck_is_not_told_where_nothing_was_won_or_expected(won: int, expected: float) -> None:
    assert luck(won, won * 10**15, expected) is None
