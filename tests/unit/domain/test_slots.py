"""What tries tell about the number of slots."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.slots import LARGEST, MORE, SlotBelief

COUNTS = st.integers(0, 700)
EVENTS = st.one_of(
    st.tuples(st.just("advance"), st.floats(-1e4, 1e7)),
    st.tuples(st.just("refused"), COUNTS, st.floats(1e-3, 1.0)),
    st.tuples(st.just("admitted"), COUNTS, st.integers(0, 50), st.floats(0.1, 0.6)),
    st.tuples(st.just("worked"), COUNTS, st.floats(0, 1e6), st.booleans()),
    st.tuples(st.just("alive")),
    st.tuples(st.just("lean"), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=900), st.floats(0, 1)),
    st.tuples(st.just("expect"), st.integers(0, 10**6)),
)


def told(belief: SlotBelief, event: tuple[object, ...]) -> None:
    """One event."""
    name, *rest = event
    if name == "worked":
        *rest, served = rest
        belief.worked(*rest, served=served)  # type: ignore[arg-type, call-arg]
    else:
        getattr(belief, str(name))(*rest)


def settled(slots: int, *, rounds: int = 60) -> SlotBelief:
    """After tries that filled so many slots, and one more that was refused, again and again."""
    belief = SlotBelief()
    for turn in range(rounds):
        belief.advance(2.0 * turn)
        belief.admitted(slots - 1, 0, 0.1)
        belief.refused(slots, 0.01)
    return belief


@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=150)
def test_a_belief_stays_a_belief_whatever_is_told(events: list[tuple[object, ...]]) -> None:
    belief = SlotBelief()
    for event in events:
        told(belief, event)
        assert math.fsum(belief.p) == pytest.approx(1.0)
        assert min(belief.p) >= 0.0
        assert math.fsum(belief.weights) == pytest.approx(1.0)
        assert len(belief.p) <= LARGEST + MORE
        assert 0 <= belief.median() < len(belief.p)
        assert 0.0 <= belief.more_than(3) <= 1.0 + 1e-9


@pytest.mark.parametrize("slots", [1, 3, 9, 40, 150])
def test_the_number_is_found(slots: int) -> None:
    assert settled(slots).mean() == pytest.approx(slots, abs=0.5 + 0.02 * slots)


def test_a_slot_is_sure_below_the_number_and_hopeless_above() -> None:
    belief = settled(9)
    assert belief.more_than(7) > 0.95
    assert belief.more_than(9) < 0.05


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_refusal_never_raises_the_number_nor_a_slot_lowers_it(slots: int, others: int) -> None:
    belief = settled(max(1, slots), rounds=5)
    before = belief.mean()
    belief.refused(others, 0.01)
    after_refusal = belief.mean()
    assert after_refusal <= before + 1e-9
    belief.admitted(others, 0, 0.1)
    assert belief.mean() >= after_refusal - 1e-9


def test_long_silence_of_many_tries_is_no_proof_that_nothing_is_there() -> None:
    belief = settled(30)
    belief.worked(60, 1e5, served=0)
    assert belief.mean() > 1.0


def test_a_clock_that_stands_still_or_goes_back_changes_nothing() -> None:
    belief = settled(5)
    before = list(belief.p)
    for now in (118.0, 0.0, -1e9, 118.049):
        belief.advance(now)
    assert before == belief.p


def test_many_moments_add_up() -> None:
    once, often = settled(5), settled(5)
    for moment in range(1, 1001):
        often.advance(118.0 + moment * 0.01)
    once.advance(128.0)
    assert often.mean() == pytest.approx(once.mean(), abs=0.1)
    assert often.mean() != settled(5).mean()


def test_what_was_known_fades() -> None:
    belief = settled(9)
    sure = belief.p[9]
    belief.advance(118.0 + 600.0)
    later = belief.p[9]
    belief.advance(118.0 + 86_400.0)
    assert sure > later > belief.p[9]


def test_numbers_that_come_and_go_are_expected_again() -> None:
    belief, new = SlotBelief(), SlotBelief()
    now = 0.0
    for _ in range(20):
        for slots in (3, 12):
            for _ in range(30):
                now += 2.0
                belief.advance(now)
                belief.admitted(slots - 1, 0, 0.1)
                belief.refused(slots, 0.01)
    for one, at in ((belief, now), (new, 0.0)):
        one.advance(at)
        one.admitted(2, 0, 0.1)
        one.refused(3, 0.01)
        one.advance(at + 60.0)
    assert belief.p[12] > 2 * new.p[12]


@pytest.mark.parametrize("slots", [0, 4, 100, 100_000])
def test_a_told_number_is_half_believed(slots: int) -> None:
    belief = SlotBelief()
    belief.expect(slots)
    near = sum(p for place, p in enumerate(belief.p) if abs(place - min(slots, len(belief.p) - 1)) <= 5)
    assert near >= 0.45


def test_a_network_that_keeps_still_is_less_worth_exploring_than_one_that_moves() -> None:
    still, moving = settled(9, rounds=300), SlotBelief()
    for turn in range(300):
        slots = (3, 12)[turn // 10 % 2]
        moving.advance(2.0 * turn)
        moving.admitted(slots - 1, 0, 0.1)
        moving.refused(slots, 0.01)
    assert still.liveliness < 0.6 * moving.liveliness
