"""What counters grew by, over restarts of the gateway."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.job_prices import job_prices
from spillway.domain.ticket_counts import DAYS_KEPT, Counters, grown, noted, together, within

T2I, I2V = "text-to-image a/b", "image-to-video c/d"


def test_counters_that_began_again_count_from_zero() -> None:
    before, now = Counters(100, 5e9, {T2I: 7}), Counters(3, 1e9, {T2I: 9, I2V: 1})
    assert grown(before, now) == Counters(3, 1e9, {T2I: 2, I2V: 1})


@given(st.lists(st.lists(st.integers(0, 50), min_size=1), min_size=1, max_size=5))
def test_no_ticket_is_lost_or_counted_twice(lives: list[list[int]]) -> None:
    """Each life of a gateway begins at 0; it is looked at after every step."""
    body = noted({}, Counters(), "2026-11-01")
    sent = 0
    for steps in lives:
        counter = 0
        # A restart is seen when the counter has fallen: a life that ends with 0 can't be told from the next one.
        for step in [0, *steps]:
            counter, sent = counter + step, sent + step
            body = noted(body, Counters(counter), "2026-11-01")
    found = within(body, "2026-11-01", "2026-11-01")
    assert found is not None
    assert found.tickets == sent


def test_days_are_kept_apart_and_not_for_ever() -> None:
    days = [f"2026-{month:02d}-{day:02d}" for month in (10, 11) for day in range(1, 29)]
    body = noted({}, Counters(), days[0])
    for number, day in enumerate(days, 1):
        body = noted(body, Counters(number), day)
    assert len(body["days"]) == DAYS_KEPT
    week = within(body, days[-7], days[-1])
    assert week is not None
    assert week.tickets == 7
    assert within(body, days[0], days[-1]) is None
    assert list(body["days"]) == days[-DAYS_KEPT:]
    assert all(before < after for before, after in pairwise(body["days"]))


def test_the_first_look_tells_only_where_the_counters_stand() -> None:
    body = noted({}, Counters(1000), "2026-11-01")
    assert within(body, "2026-11-01", "2026-11-01") is None


def test_prices_are_those_of_the_last_look() -> None:
    assert together([Counters(prices={T2I: 1}), Counters(prices={T2I: 2})]).prices == {T2I: 2}


def test_tickets_are_shared_out_by_price_and_jobs() -> None:
    counts = Counters(700, 3e15, {T2I: 700, I2V: 70}, {T2I: 10.0, I2V: 10.0})
    image, video = sorted(job_prices(counts, 7, 10**18, {T2I: 0.003}, 3000.0), key=lambda one: -one.jobs)
    assert image.expected_wei is not None
    assert video.expected_wei is not None
    assert image.expected_wei * 700 + video.expected_wei * 70 == pytest.approx(3e15, rel=1e-9)
    assert video.expected_wei / image.expected_wei == pytest.approx(576 * 25 / 1024, rel=1e-9)
    assert (image.hosted_usd, video.hosted_usd) == (0.003, None)
    # 100 images a day and 10 videos a day for 30 days spend the whole deposit.
    assert image.sustainable_wei is not None
    assert video.sustainable_wei is not None
    assert 30 * (100 * image.sustainable_wei + 10 * video.sustainable_wei) == pytest.approx(1e18, rel=1e-9)


def test_without_prices_each_job_costs_the_same() -> None:
    prices = job_prices(Counters(1, 1e15, {T2I: 5, I2V: 5}), 7, 10**18, {}, None)
    assert [(one.expected_wei, one.expected_usd) for one in prices] == [(10**14, None)] * 2


def test_without_tickets_nothing_is_said_of_what_jobs_cost() -> None:
    assert [one.expected_wei for one in job_prices(Counters(jobs={T2I: 5}), 7, 0, {}, None)] == [None]
