"""Blocks that a reading has passed."""

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.trail import IN_EACH, Trail, read_trail
from support.redemptions import block_hash


def passed(numbers: list[int]) -> Trail:
    trail = Trail(0)
    for number in numbers:
        trail = trail.passed(number, block_hash(number))
    return trail


def test_reading_begins_at_its_first_block() -> None:
    assert Trail(7).next == 7
    assert Trail(7).passed(9, block_hash(9)).next == 10


def test_last_block_passed_again_is_kept_once() -> None:
    assert passed([5, 5]).blocks == ((5, block_hash(5)),)


def test_stored_trail_is_read_as_it_was() -> None:
    trail = passed([1, 2, 50])
    assert read_trail(trail.body()) == trail
    assert trail.before(50) == passed([1, 2])
    assert trail.before(1) == Trail(0)


STEPS = st.lists(st.integers(1, 500), min_size=1, max_size=200)


@given(STEPS)
def test_trail_stays_short_and_newest_first(steps: list[int]) -> None:
    numbers = [sum(steps[: place + 1]) for place in range(len(steps))]
    trail = passed(numbers)
    kept = [number for number, _ in trail.blocks]
    assert kept == sorted(set(kept), reverse=True)
    assert set(kept) <= set(numbers)
    assert kept[0] == numbers[-1]
    assert len(kept) <= IN_EACH * (numbers[-1].bit_length() + 1)


@given(STEPS, st.data())
def test_not_much_more_than_the_reorganisation_is_read_again(steps: list[int], data: st.DataObject) -> None:
    """A block is kept within three times the depth, as far as one was passed there and steps are short against it."""
    numbers = [sum(steps[: place + 1]) for place in range(len(steps))]
    trail, newest = passed(numbers), numbers[-1]
    depth = data.draw(st.integers(1, newest))
    older = [number for number in numbers if number <= newest - depth]
    if older:
        kept = [number for number, _ in trail.blocks if number <= newest - depth]
        assert kept, "the trail holds nothing as old as that"
        assert newest - kept[0] <= 3 * (newest - older[-1]) + max(steps)
