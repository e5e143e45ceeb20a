"""A webhook is sent again soon, then ever more rarely, for a day."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.redelivery import GIVEN_UP_AFTER_S, LONGEST_PAUSE_S, arrived, next_try

ENDED = 1_790_000_000.0


def tries(chance: float) -> list[float]:
    """Seconds after the end of a job at which it is sent to a receiver that is never there."""
    times, now = [0.0], ENDED
    while (again := next_try(len(times), ENDED, now, chance)) is not None:
        times.append(again - ENDED)
        now = again
    return times


@given(st.floats(0, 1))
def test_first_repeat_comes_within_five_seconds_and_the_last_within_a_day(chance: float) -> None:
    times = tries(chance)
    assert 0 < times[1] <= 5
    assert GIVEN_UP_AFTER_S - 1.3 * LONGEST_PAUSE_S <= times[-1] <= GIVEN_UP_AFTER_S
    assert 25 <= len(times) <= 50


@given(st.floats(0, 1))
def test_pauses_grow(chance: float) -> None:
    times = tries(chance)
    pauses = [after - before for before, after in pairwise(times)]
    assert all(after >= before * 0.999 for before, after in pairwise(pauses))


def test_only_2xx_has_arrived() -> None:
    assert [status for status in (0, 199, 200, 204, 299, 301, 302, 400, 410, 500) if arrived(status)] == [200, 204, 299]
