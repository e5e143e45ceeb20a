"""What is kept of the past, and what it says."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.history import History, Lack, read_history
from spillway.domain.proof import window
from spillway.domain.tally import Counts, Tally

ROUTE = "llm *"


def tally(requests: float, **more: float) -> Tally:
    """So many so far."""
    return Tally(routes={ROUTE: Counts(requests=requests, **more)})


def grown(minutes: int) -> History:
    """One request a minute."""
    history = History()
    for minute in range(minutes + 1):
        history.add(minute * 60.0, tally(minute + 1))
    return history


def test_a_week_of_minutes_is_a_few_hundred_rows() -> None:
    history = grown(8 * 24 * 60)
    assert len(history.rows) <= 62 + 98 + 170
    now, samples = 8 * 86400.0, history.samples(ROUTE)
    told = [window(samples, now, span_s).requests for span_s in (3600.0, 86400.0, 7 * 86400.0)]
    assert told == pytest.approx([60, 1440, 10080], rel=0.011)
    assert len(json.dumps(history.body())) < 60_000


def test_it_is_stored_and_read() -> None:
    history = grown(90)
    assert read_history(json.loads(json.dumps(history.body()))).rows == history.rows
    assert read_history({"version": 2}).rows == read_history({}).rows == read_history({"version": 1, "rows": 3}).rows


@settings(max_examples=50)
@given(st.lists(st.floats(0, 20 * 86400), max_size=60))
def test_rows_stay_in_order_whatever_the_clock_does(times: list[float]) -> None:
    history = History()
    for count, now in enumerate(times):
        history.add(now, tally(count + 1))
        ats = [at for at, _ in history.rows]
        assert ats == sorted(set(ats))
        assert ats[-1] == now


def lacking(*minutes: tuple[int, int]) -> History:
    """Overflow and refusals of one minute after the other."""
    history, hosted, refused = History(), 0, 0
    for minute, (more, turned_away) in enumerate([(0, 0), *minutes]):
        hosted, refused = hosted + more, refused + turned_away
        history.add(minute * 60.0, tally(10 * (minute + 1), hosted_starts=hosted, refused=refused))
    return history


def test_a_lack_lasts_since_overflow_and_refusals_began() -> None:
    history = lacking((0, 0), (9, 0), (9, 2), (9, 0), (9, 1))
    assert history.lack(ROUTE, 300.0) == Lack(3 / 300, 36 / 300, 120.0, busy_slots=0.0)
    assert history.lack("other *", 300.0) == Lack(busy_slots=0.0)


def test_a_policy_that_knows_the_limit_is_refused_seldom_and_the_lack_goes_on() -> None:
    history = lacking(*([(16, 1), *[(16, 0)] * 4] * 12))
    assert history.lack(ROUTE, 3600.0).since == 0.0


def test_overflow_that_comes_one_by_one_goes_on_between() -> None:
    history = lacking(*([(1, 1), (0, 0), (1, 0), (1, 0), (0, 0)] * 12))
    assert history.lack(ROUTE, 3600.0).since == 0.0


@pytest.mark.parametrize(
    "minutes",
    [
        [*[(60, 2)] * 20, (0, 0), (0, 0)],
        [(60, 2), (0, 0), (0, 0)] * 20,
        [(60, 2)] + [(60, 0)] * 30,
        [(60, 0)] * 30,
        [(0, 3)] * 30,
    ],
    ids=["over", "bursts", "no longer refused", "never refused", "nothing overflows"],
)
def test_what_does_not_go_on_is_no_lack(minutes: list[tuple[int, int]]) -> None:
    since = lacking(*minutes).lack(ROUTE, 60.0 * len(minutes)).since
    assert since is None or since >= 60.0 * (len(minutes) - 3)
