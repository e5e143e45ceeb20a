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


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 20 * 86400), max_size=60))
def test_rows_stay_in_order_whatever_the_clock_does(times: list[float]) -> None:
    history = History()
    for count, now in enumerate(times):
        history.add(now, tally(count + 1))
        ats = [at for at, _ in history.rows]
        assert ats == sorted(set(ats))
        assert ats[-1] == now


def test_refusals_persist_since_they_began() -> None:
    history = History()
    for minute, refused in enumerate([0, 5, 5, 7, 9, 12]):
        history.add(minute * 60.0, tally(10 * (minute + 1), refused=refused, hosted_starts=2 * refused))
    assert history.lack(ROUTE, 300.0) == Lack(12 / 300, 24 / 300, 120.0)
    history.add(360.0, tally(70, refused=12))
    assert history.lack(ROUTE, 360.0).since is None
    assert history.lack("other *", 360.0) == Lack()
