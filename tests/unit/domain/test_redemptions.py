"""Redemptions as they are reported."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.redemptions import Decorations, Redemption, in_eth, in_usd, probability, read_redemption
from spillway.domain.tickets import CERTAIN, paired
from support.tickets import FACE, redeemed, transfer

[TICKET] = paired([transfer(FACE // 2), redeemed(log_index=7)])
PLAIN = Redemption.of(TICKET, 42161, 1_700_000_000)
UINT = st.integers(0, CERTAIN)


def test_report_holds_strings_where_numbers_would_lose_digits() -> None:
    body = PLAIN.body()
    assert (body["amount_wei"], body["face_value_wei"]) == (str(FACE // 2), str(FACE))
    assert (body["win_prob"], body["win_chance"]) == (str(CERTAIN // 1000), "0.001")
    assert (body["timestamp"], body["status"]) == ("2023-11-14T22:13:20Z", "final")
    assert body["missing"] == ["recipient_name", "gas_paid_wei", "eth_usd"]


def test_expected_value_is_the_face_value_times_the_probability() -> None:
    assert PLAIN.expected_value_wei == FACE // 1000 - 1


@pytest.mark.parametrize("told", [Decorations(), Decorations("orch.example:8935", 21_000, "3000.5")])
def test_stored_redemption_is_read_as_it_was(told: Decorations) -> None:
    changed = PLAIN.changed(status="corrected", decorations=told)
    assert read_redemption(changed.body()) == changed
    assert changed.revision == 1


def test_dollars_are_those_of_the_amount_paid() -> None:
    body = PLAIN.changed(decorations=Decorations(eth_usd="3000")).body()
    assert body["amount_usd"] == "1.50"


@given(UINT)
def test_probability_is_within_a_part_in_1e29_of_the_exact_one(win_prob: int) -> None:
    told, exact = Fraction(probability(win_prob)), Fraction(win_prob, CERTAIN)
    assert "E" not in probability(win_prob)
    assert abs(told - exact) <= exact / 10**29


@given(UINT)
def test_ether_is_exact_and_dollars_never_fail(wei: int) -> None:
    assert Fraction(in_eth(wei)) == Fraction(wei, 10**18)
    assert Decimal(in_usd(wei, "1")).as_tuple().exponent == -2
