"""What is said of a redemption, and of its corrections."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.announcements import (
    CORRECTION,
    NOTE,
    PLACEHOLDER,
    REDEMPTION,
    card_body,
    card_of,
    chance,
    eth,
    heading_of,
    money,
)
from spillway.domain.cards import Card
from spillway.domain.redemptions import Decorations
from spillway.domain.tickets import CERTAIN
from support.announced import ORCHESTRATOR, SENDER, redemption

HASH = "0x" + "ab" * 32
ONE = redemption(7, tx_hash=HASH, amount_wei=10**15)


def test_a_redemption_says_what_was_paid_to_whom() -> None:
    card = card_of(REDEMPTION, ONE.body())
    assert card.title == "0.001 ETH ($3.00) paid for a winning ticket"
    assert card.link == f"https://arbiscan.io/tx/{HASH}"
    assert dict(card.facts) == {
        "Orchestrator": f"orch.example\n{ORCHESTRATOR}",
        "Gateway": SENDER,
        "Face value": "0.002 ETH",
        "Win probability": "0.1 % (1 in 1,000)",
        "Expected value": "0.000001999999999999 ETH",
        "Round": "3500",
        "Gas paid": "0.000000000000021 ETH",
    }
    assert (card.at, card.footnote) == (1_790_000_007, "Block 1001, log 7")


def test_what_could_not_be_had_is_left_out_and_said() -> None:
    card = card_of(REDEMPTION, redemption(7, decorations=Decorations(), round=None).body())
    assert card.title == "0.001000000000000007 ETH paid for a winning ticket"
    assert set(dict(card.facts)) == {"Orchestrator", "Gateway", "Face value", "Win probability", "Expected value"}
    assert card.footnote == (
        "Block 1001, log 7. Could not be had: the orchestrator's name, the gas that was paid, "
        "the price of an ether in USD."
    )


@pytest.mark.parametrize(
    ("chain_id", "explorer"),
    [(42161, "https://arbiscan.io"), (421614, "https://sepolia.arbiscan.io"), (31337, "https://blockscan.com")],
)
def test_the_link_is_that_of_the_chains_explorer(chain_id: int, explorer: str) -> None:
    card = card_of(REDEMPTION, redemption(tx_hash=HASH, chain_id=chain_id).body())
    assert card.link == f"{explorer}/tx/{HASH}"


def test_a_correction_says_what_was_announced_and_what_holds() -> None:
    now = ONE.changed(status="corrected", block_number=1005, amount_wei=10**14)
    card = card_of(CORRECTION, {**now.body(), "before": ONE.body()})
    assert card.title == "Correction: 0.0001 ETH ($0.30) paid for a winning ticket"
    assert dict(card.facts)["Block was"] == "1001"
    assert dict(card.facts)["Amount was"] == "0.001 ETH"
    assert "Log was" not in dict(card.facts)


def test_what_is_no_longer_on_the_chain_is_taken_back() -> None:
    gone = ONE.changed(status="removed")
    card = card_of(CORRECTION, {**gone.body(), "before": ONE.body()})
    assert (card.title, card.tone) == ("Correction: 0.001 ETH announced as paid were not", "gone")
    assert HASH in card.text


def test_a_note_is_told_as_it_was_written() -> None:
    card = Card("Deposit is low", (("Deposit", "0.1 ETH"),), tone="warning", at=5)
    assert card_of(NOTE, card_body(card)) == card


def test_the_heading_counts_what_is_below_it() -> None:
    body = ONE.body()
    told = [(REDEMPTION, body), (REDEMPTION, body), (CORRECTION, {**body, "before": body}), (NOTE, {})]
    assert heading_of(told[:1]) == "1 winning ticket redeemed: 0.001 ETH"
    assert heading_of(told) == (
        "2 winning tickets redeemed: 0.002 ETH; 1 correction after a reorganisation of the chain"
    )
    assert heading_of(told[3:]) == PLACEHOLDER


@given(st.integers(0, 2**256 - 1))
def test_ether_loses_no_wei(wei: int) -> None:
    assert Fraction(eth(wei).removesuffix(" ETH")) == Fraction(wei, 10**18)


@pytest.mark.parametrize(("wei", "said"), [(0, "0 ETH ($0.00)"), (1, "0.000000000000000001 ETH (under $0.01)"),
                                           (10**22, "10000 ETH ($30,000,000.00)")])  # fmt: skip
def test_money_is_readable(wei: int, said: str) -> None:
    assert money(wei, "3000") == said


@given(st.integers(0, CERTAIN))
def test_a_chance_can_always_be_said(win_prob: int) -> None:
    assert "E" not in chance(win_prob)


@pytest.mark.parametrize(
    ("win_prob", "said"), [(0, "0"), (CERTAIN, "100 % (1 in 1)"), (CERTAIN // 3, "33.33 % (1 in 3)")]
)
def test_a_chance_is_a_share_and_a_number_of_tickets(win_prob: int, said: str) -> None:
    assert chance(win_prob) == said
