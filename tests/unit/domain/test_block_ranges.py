"""How many blocks are asked for at once."""

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.block_ranges import FIRST, LARGEST, WANTED_LOGS, RangeSize


def test_range_ends_with_what_is_to_be_read() -> None:
    assert RangeSize(10).range(5, 100) == (5, 14)
    assert RangeSize(10).range(95, 100) == (95, 100)
    assert RangeSize(10).range(100, 100) == (100, 100)


def read(last: int, limit: int, size: RangeSize | None = None) -> tuple[int, int, RangeSize]:
    """Read empty blocks from a node with a limit: calls, refusals, and the size in the end."""
    size, first, calls, refused = size or RangeSize(), 0, 0, 0
    while first <= last:
        begin, end = size.range(first, last)
        blocks = end - begin + 1
        calls += 1
        if blocks > limit:
            refused += 1
            size = size.halved(blocks)
            continue
        size, first = size.grown(blocks, 0), end + 1
    return calls, refused, size


@given(st.integers(1, 200_000), st.integers(1, 5_000))
def test_any_limit_is_found_and_all_is_read(last: int, limit: int) -> None:
    if last // limit > 2_000:
        last = 2_000 * limit
    calls, refused, _ = read(last, limit)
    assert calls - refused <= 2 * (last // limit) + 30
    assert refused <= calls / 20 + 30


def test_limit_that_stays_is_hardly_ever_met_again() -> None:
    _, refused, size = read(20_000, 10)
    assert (refused <= 70, size.blocks) == (True, 10)


def test_large_limits_are_reached_soon() -> None:
    calls, refused, _ = read(300_000_000, 10**9)
    assert (calls < 320, refused) == (True, 0)


def test_limit_that_is_no_more_is_outgrown() -> None:
    _, _, size = read(1_000, 10)
    assert size.blocks <= 20
    calls, _, _ = read(1_000_000, 10**9, size)
    assert calls < 120


def test_dense_logs_shrink_the_range_to_what_is_handled_well() -> None:
    assert RangeSize(1_000).grown(1_000, 10 * WANTED_LOGS).blocks == 100
    assert RangeSize(1_000).grown(1_000, WANTED_LOGS + 1).blocks == 1_000
    assert RangeSize(1).grown(1, 10**6).blocks == 1


def test_short_rest_says_nothing_of_the_limit() -> None:
    size = RangeSize(FIRST)
    assert size.grown(7, 0) == size


@given(st.integers(1, LARGEST), st.integers(1, LARGEST), st.integers(0, 10**6))
def test_there_is_always_something_to_ask_for(blocks: int, refused: int, logs: int) -> None:
    size = RangeSize(blocks, refused)
    assert 1 <= size.grown(blocks, logs).blocks <= LARGEST
    assert 1 <= size.halved(blocks).blocks <= max(1, blocks // 2)
