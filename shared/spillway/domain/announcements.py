"""What is announced of an entry of the outbox, as a card. The same entry gives the same card, whenever it is asked."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from spillway.domain.cards import Card
from spillway.domain.explorers import transaction_url
from spillway.domain.redemptions import Redemption, in_eth, in_usd, probability, read_redemption

REDEMPTION, CORRECTION, NOTE = "redemption", "correction", "note"
"""Kinds of entries; the body of a note is a card."""

PLACEHOLDER = "Ticket redemptions"
"""What a message says before it is filled. It is true whenever it is read, also if it is never filled."""

_MISSING = {
    "recipient_name": "the orchestrator's name",
    "gas_paid_wei": "the gas that was paid",
    "eth_usd": "the price of an ether in USD",
}


def card_of(kind: str, body: Mapping[str, Any]) -> Card:
    """The card of an entry."""
    if kind == NOTE:
        return read_card(body)
    redemption = read_redemption(body)
    if kind == CORRECTION:
        return _correction(redemption, read_redemption(body["before"]))
    return _redemption(redemption)


def heading_of(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """The line above the cards of these kinds and bodies."""
    kinds = list(entries)
    paid = [int(body["amount_wei"]) for kind, body in kinds if kind == REDEMPTION]
    corrections = sum(kind == CORRECTION for kind, _ in kinds)
    parts = []
    if paid:
        parts.append(f"{_count(len(paid), 'winning ticket')} redeemed: {eth(sum(paid))}")
    if corrections:
        parts.append(f"{_count(corrections, 'correction')} after a reorganisation of the chain")
    return "; ".join(parts) or PLACEHOLDER


def card_body(card: Card) -> dict[str, Any]:
    """A card as it is stored."""
    return {
        "title": card.title,
        "facts": [list(fact) for fact in card.facts],
        "text": card.text,
        "link": card.link,
        "tone": card.tone,
        "at": card.at,
        "footnote": card.footnote,
    }


def read_card(body: Mapping[str, Any]) -> Card:
    """What was stored as a card."""
    return Card(**{**body, "facts": tuple((name, value) for name, value in body["facts"])})


def eth(wei: int) -> str:
    """Ether to the last wei, without zeros at the end."""
    return f"{in_eth(wei):f}".rstrip("0").rstrip(".") + " ETH"


def money(wei: int, eth_usd: str | None) -> str:
    """Ether, and US dollars where the price is known; what is less than a cent is said to be."""
    if eth_usd is None:
        return eth(wei)
    usd = in_usd(wei, eth_usd)
    return f"{eth(wei)} ({'under $0.01' if wei and Decimal(usd) == 0 else f'${Decimal(usd):,}'})"


def chance(win_prob: int) -> str:
    """A win probability as people read it."""
    share = Decimal(probability(win_prob))
    if share == 0:
        return "0"
    percent = Decimal(f"{share * 100:.4g}").normalize()
    return f"{percent:f} % (1 in {round(1 / share):,})"


def _redemption(one: Redemption) -> Card:
    return Card(
        title=f"{money(one.amount_wei, one.decorations.eth_usd)} paid for a winning ticket",
        text=f"Transaction {one.tx_hash}",
        link=transaction_url(one.chain_id, one.tx_hash),
        facts=tuple(_facts(one)),
        at=one.timestamp,
        footnote=_footnote(one),
    )


def _facts(one: Redemption) -> Iterator[tuple[str, str]]:
    name = one.decorations.recipient_name
    yield "Orchestrator", f"{name[:60]}\n{one.recipient}" if name else one.recipient
    yield "Gateway", one.sender
    yield "Face value", eth(one.face_value_wei)
    yield "Win probability", chance(one.win_prob)
    yield "Expected value", eth(one.expected_value_wei)
    if one.round is not None:
        yield "Round", str(one.round)
    if one.decorations.gas_paid_wei is not None:
        yield "Gas paid", eth(one.decorations.gas_paid_wei)


def _footnote(one: Redemption) -> str:
    place = f"Block {one.block_number}, log {one.log_index}"
    missing = [_MISSING[name] for name in one.decorations.missing]
    return f"{place}. Could not be had: {', '.join(missing)}." if missing else place


def _correction(now: Redemption, before: Redemption) -> Card:
    if now.status == "removed":
        return Card(
            title=f"Correction: {eth(before.amount_wei)} announced as paid were not",
            text=f"The chain was reorganised: transaction {before.tx_hash} is no longer in it.",
            link=transaction_url(before.chain_id, before.tx_hash),
            facts=(("Orchestrator", before.recipient), ("Gateway", before.sender)),
            tone="gone",
            at=before.timestamp,
            footnote=f"It was announced as block {before.block_number}, log {before.log_index}",
        )
    return Card(
        title=f"Correction: {money(now.amount_wei, now.decorations.eth_usd)} paid for a winning ticket",
        text=f"The chain was reorganised: transaction {now.tx_hash} is elsewhere in it now.",
        link=transaction_url(now.chain_id, now.tx_hash),
        facts=(*_changes(now, before), *_facts(now)),
        tone="changed",
        at=now.timestamp,
        footnote=_footnote(now),
    )


def _changes(now: Redemption, before: Redemption) -> Iterator[tuple[str, str]]:
    """What is not as it was announced."""
    told = (
        ("Transaction was", before.tx_hash, now.tx_hash),
        ("Block was", str(before.block_number), str(now.block_number)),
        ("Log was", str(before.log_index), str(now.log_index)),
        ("Amount was", eth(before.amount_wei), eth(now.amount_wei)),
        ("Orchestrator was", before.recipient, now.recipient),
    )
    return ((name, was) for name, was, is_now in told if was != is_now)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
