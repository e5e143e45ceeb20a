"""The count of open tries comes out even."""

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.open_tries import OpenTries


def begun(*at: float) -> OpenTries:
    """Tries that began then; their keys count from 0."""
    tries = OpenTries()
    for key, now in enumerate(at):
        tries.begin(key, now, 0.25)
    return tries


def test_a_try_knows_how_many_were_beside_it_and_which_are_older() -> None:
    tries = begun(0.0, 1.0, 2.0)
    assert [tries[key].others for key in range(3)] == [0, 1, 2]
    assert [tries.older(tries[key]) for key in range(3)] == [1, 2, 3]
    assert tries.older(tries.end(1)) == 1


def test_a_ghost_holds_its_slot_until_its_time_is_up() -> None:
    tries = begun(0.0)
    tries.haunt(9.0)
    tries.haunt(5.0)
    tries.end(0)
    counts = []
    for now in (4.0, 5.0, 8.9, 9.0):
        tries.passed(now)
        counts.append((tries.connected, tries.places))
    assert counts == [(0, 2), (0, 1), (0, 1), (0, 0)]


def test_the_oldest_that_is_neither_known_nor_beaten_is_waited_for() -> None:
    tries = begun(0.0, 1.0, 2.0)
    tries[0].admitted, tries[1].beaten = True, True
    assert tries.unproven() is tries[2]
    tries.end(2)
    assert tries.unproven() is None


def test_risks_count_until_they_are_decided() -> None:
    tries = begun(0.0, 1.0)
    tries[0].admitted = True
    assert tries.risks() == 0.25


def test_only_what_is_beaten_is_silent() -> None:
    tries = begun(0.0, 1.0)
    tries[0].beaten = True
    assert (OpenTries().silent(), tries.silent()) == (True, False)
    tries[1].beaten = True
    assert tries.silent()


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=60))
def test_all_that_begins_and_ends_leaves_nothing(steps: list[tuple[bool, float]]) -> None:
    tries, now, keys = OpenTries(), 0.0, list[int]()
    for number, (begins, seconds) in enumerate(steps):
        now += seconds
        tries.passed(now)
        if begins or not keys:
            tries.begin(number, now, 0.1)
            keys.append(number)
        else:
            tries.end(keys.pop(0))
            tries.haunt(now + seconds)
        assert tries.connected == len(keys) <= tries.places
    for key in keys:
        tries.end(key)
    tries.passed(now + 101.0)
    assert (tries.connected, tries.places, tries.unproven()) == (0, 0, None)
