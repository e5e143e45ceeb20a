"""What the TicketBroker's logs say."""

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.tickets import CERTAIN, LATEST_ROUND, REDEEMED, Log, paired
from support.tickets import FACE, RECIPIENT, ROUND, SENDER, arguments, log, redeemed, transfer

OTHER = "0x" + "33" * 20


def amounts(*logs: Log) -> list[int]:
    return [ticket.amount_wei for ticket in paired(logs)]


def test_ticket_is_read_from_its_two_logs() -> None:
    [ticket] = paired([transfer(FACE), redeemed(log_index=1)])
    assert (ticket.sender, ticket.recipient) == (SENDER, RECIPIENT)
    assert (ticket.amount_wei, ticket.face_value_wei, ticket.win_prob) == (FACE, FACE, CERTAIN // 1000)
    assert (ticket.round, ticket.log.log_index) == (ROUND, 1)


UINT = st.integers(0, 2**256 - 1)
OF_ROUND = st.builds(
    lambda number, rest: bytes(number.to_bytes(32, "big") + rest), st.integers(0, 2 * LATEST_ROUND), st.binary()
)


@given(UINT, UINT, UINT, UINT, st.binary(max_size=100) | OF_ROUND)
def test_arguments_are_those_that_the_contract_packed(
    face: int, win_prob: int, nonce: int, rand: int, aux: bytes
) -> None:
    data = encode(["uint256", "uint256", "uint256", "uint256", "bytes"], [face, win_prob, nonce, rand, aux])
    [ticket] = paired([log(REDEEMED, data)])
    assert (ticket.face_value_wei, ticket.win_prob) == (face, win_prob)
    word = int.from_bytes(aux[:32], "big")
    assert ticket.round == (word if len(aux) >= 32 and word <= LATEST_ROUND else None)


def test_nothing_was_paid_where_there_is_no_transfer() -> None:
    assert amounts(redeemed(), transfer(5, log_index=1), redeemed(log_index=2)) == [0, 5]


def test_batches_keep_their_order() -> None:
    assert amounts(transfer(1), transfer(2), redeemed(), redeemed()) == [1, 2]


def test_transfers_of_others_in_between_are_theirs() -> None:
    logs = [transfer(1), transfer(2, recipient=OTHER), redeemed(recipient=OTHER), redeemed()]
    assert amounts(*logs) == [2, 1]


def test_transfer_stays_in_its_transaction() -> None:
    with pytest.raises(ValueError, match="doesn't redeem"):
        amounts(transfer(1, tx_hash="0x" + "01" * 32), redeemed(tx_hash="0x" + "02" * 32))


@pytest.mark.parametrize(
    "logs",
    [
        [transfer(FACE + 1), redeemed()],
        [transfer(1)],
        [transfer(1), redeemed(recipient=OTHER)],
        [log(REDEEMED, arguments()[:-64])],
        [log(REDEEMED, arguments()[:128])],
        [log(REDEEMED, arguments()[:128] + b"\xff" * 96)],
        [log(REDEEMED, arguments(), topics=(REDEEMED, "0x" + "ff" * 32, "0x" + "00" * 32))],
    ],
    ids=["more than the face value", "no redemption", "another's redemption", "cut", "no auxData", "auxData far away",
         "no address"],
)  # fmt: skip
def test_what_the_contract_cannot_have_emitted_is_refused(logs: list[Log]) -> None:
    with pytest.raises(ValueError, match="0x"):
        amounts(*logs)
