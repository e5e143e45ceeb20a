"""What may be wasted on refused tries."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.waste import LEAST, MOST, SAVED_UP, UNPRICED, Prices, WasteBudget

USD = st.floats(0, 1)


@given(USD, USD, USD)
def test_some_waste_is_always_worth_it_but_never_much(per_try: float, per_second: float, per_job: float) -> None:
    assert LEAST <= Prices(per_try, per_second, per_job).refused_per_success <= MOST


@given(st.floats(1e-6, 1), st.floats(0, 1), USD, USD)
def test_dearer_tries_are_wasted_less(per_try: float, more: float, per_second: float, per_job: float) -> None:
    cheap, dear = (Prices(usd, per_second, per_job).refused_per_success for usd in (per_try, per_try + more))
    assert dear <= cheap <= MOST


def test_free_tries_are_wasted_more_than_paid_ones() -> None:
    free, paid = Prices(0.0, 0.0002, 0.003), Prices(0.0005, 0.0002, 0.003)
    assert free.refused_per_success > paid.refused_per_success


def test_twice_the_price_pays_for_a_quarter_of_the_refusals() -> None:
    cheap, dear = (Prices(usd, 0.0, 0.05).refused_per_success for usd in (0.008, 0.016))
    assert cheap / dear == pytest.approx(4.0)


def test_without_any_price_a_little_is_wasted() -> None:
    assert Prices().refused_per_success == UNPRICED
    assert Prices().longest_wait_s == float("inf")


def test_nobody_waits_for_longer_than_the_hosted_job_is_worth() -> None:
    assert Prices(0.0, 0.0002, 0.003).longest_wait_s == pytest.approx(15.0)


PRICED = st.builds(Prices, USD, USD, USD)


@given(PRICED, st.floats(-1, 2), st.floats(0, 1))
def test_slot_that_others_want_bears_less_risk(prices: Prices, displaced: float, more: float) -> None:
    budget = WasteBudget(prices)
    assert 0.0 <= budget.bearable(displaced + more) <= budget.bearable(displaced) <= 1.0


@given(PRICED, st.floats(0, 1), USD)
def test_dearer_tries_bear_less_risk_and_dearer_jobs_more(prices: Prices, displaced: float, more: float) -> None:
    dearer_try, dearer_job = (
        replace(prices, per_try=prices.per_try + more),
        replace(prices, per_job=prices.per_job + more),
    )
    budgets = [WasteBudget(one) for one in (dearer_try, prices, dearer_job)]
    # Where a refusal costs nothing, nothing says how much is too much.
    if prices.refusal_usd:
        less, right, much = (budget.bearable(displaced) for budget in budgets)
        assert less <= right + 1e-9 <= much + 2e-9


def test_a_video_is_worth_much_more_risk_than_a_picture() -> None:
    picture, video = (WasteBudget(Prices(0.0005, 0.0002, usd)).bearable(0.5) for usd in (0.003, 0.05))
    assert picture < 0.2 < 0.4 < video


@given(st.lists(st.one_of(st.just("served"), st.just("refused"), st.floats(0, 100)), max_size=300))
def test_refused_tries_are_paid_for_by_the_start_successes_and_time(events: list[str | float]) -> None:
    prices = Prices(0.0005, 0.0002, 0.003)
    budget = WasteBudget(prices)
    paid, earned = 0, 0.0
    for event in events:
        if event == "served":
            budget.served()
            earned += prices.refused_per_success
        elif isinstance(event, float):
            budget.passed(event, 20.0)
            earned += event / 20.0
        elif budget.tokens > 0:
            budget.refused()
            paid += 1
        assert -1.0 <= budget.tokens <= SAVED_UP
    assert paid <= SAVED_UP + 1 + earned


def test_time_alone_saves_up_one_try_and_no_more() -> None:
    budget = WasteBudget(Prices())
    for _ in range(9):
        budget.refused()
    assert budget.tokens == -1.0
    budget.passed(20.0, 20.0)
    assert budget.tokens == 0.0
    budget.passed(1e9, 20.0)
    assert budget.tokens == 1.0


def test_a_refusal_is_charged_by_how_much_it_was_for_want_of_a_slot() -> None:
    budget = WasteBudget(Prices())
    budget.refused(0.25)
    budget.refused(0.0)
    assert budget.tokens == SAVED_UP - 0.25


def test_a_dear_job_is_worth_more_refusals_than_a_cheap_one() -> None:
    picture, video = Prices(0.0005, 0.0002, 0.003), Prices(0.0005, 0.0002, 0.05)
    assert picture.refused_per_success < video.refused_per_success == MOST
