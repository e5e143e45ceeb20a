"""What a node may answer."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.chain_answers import Block, Question, read_block, read_data, read_hash, read_logs, read_quantity
from spillway.domain.tickets import REDEEMED, TRANSFER, topic_of
from support.tickets import BROKER, RECIPIENT, SENDER

QUESTION = Question(BROKER.upper().replace("X", "x"), (SENDER,), 10, 20)


def raw(number: int = 12, index: int = 3, **changes: Any) -> dict[str, Any]:
    """A log as a node sends it."""
    made = {
        "address": BROKER,
        "topics": [TRANSFER, topic_of(SENDER), topic_of(RECIPIENT)],
        "data": "0x" + "00" * 31 + "07",
        "blockNumber": hex(number),
        "blockHash": f"0x{number:064x}",
        "transactionHash": f"0x{number:032x}{index // 10:032x}",
        "transactionIndex": "0x0",
        "logIndex": hex(index),
        "removed": False,
    }
    return {**made, **changes}


def test_logs_come_in_the_chain_s_order() -> None:
    answer = [raw(number, index) for number in range(10, 21) for index in range(4)]
    shuffled = random.Random(1).sample(answer, len(answer))
    logs = read_logs(shuffled, QUESTION)
    assert [(log.block_number, log.log_index) for log in logs] == sorted(
        (number, index) for number in range(10, 21) for index in range(4)
    )


def test_filter_asks_for_both_events_of_all_senders() -> None:
    other = "0x" + "11" * 20
    asked = Question(BROKER, (SENDER, other), 10, 20).filter()
    assert asked == {
        "address": BROKER, "fromBlock": "0xa", "toBlock": "0x14",
        "topics": [[TRANSFER, REDEEMED], [topic_of(SENDER), topic_of(other)]],
    }  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"logs": []},
        ["0x"],
        [raw(9)],
        [raw(21)],
        [raw(address="0x" + "99" * 20)],
        [raw(topics=[])],
        [raw(topics=None)],
        [raw(topics=[TRANSFER, topic_of(SENDER)])],
        [raw(topics=[TRANSFER, topic_of(SENDER), topic_of(RECIPIENT), "0x" + "00" * 32])],
        [raw(topics=["0x" + "99" * 32, topic_of(SENDER), topic_of(RECIPIENT)])],
        [raw(topics=[TRANSFER, topic_of(RECIPIENT), topic_of(SENDER)])],
        [raw(removed=True)],
        [raw(data="0x123")],
        [raw(data="07")],
        [raw(data=None)],
        [raw(blockNumber=12)],
        [raw(blockNumber="latest")],
        [raw(blockNumber=None)],
        [raw(blockNumber="0x0c")],
        [raw(blockHash=None)],
        [raw(blockHash="0x12")],
        [raw(transactionHash=None)],
        [raw(logIndex=None)],
        [raw(), raw()],
        [raw(), raw(index=4, blockHash="0x" + "aa" * 32)],
        [raw(12, 3), raw(13, 3, transactionHash=raw(12, 3)["transactionHash"])],
        [raw(12, 1), raw(12, 11), raw(12, 21, transactionHash=raw(12, 1)["transactionHash"])],
    ],
)
def test_what_was_not_asked_for_or_can_not_be_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError):
        read_logs(answer, QUESTION)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("0x1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(raw())), JSON)
def test_rubbish_is_an_error_or_is_not_looked_at(field: str, value: Any) -> None:
    try:
        [log] = read_logs([raw(**{field: value})], QUESTION)
    except ValueError:
        return
    assert log.address == BROKER
    assert 10 <= log.block_number <= 20


@given(JSON)
def test_rubbish_instead_of_logs_or_a_block_is_an_error(answer: Any) -> None:
    if answer != []:
        with pytest.raises(ValueError):
            read_logs(answer, QUESTION)
    with pytest.raises(ValueError):
        read_block(answer)


def test_block_is_the_one_that_was_asked_for() -> None:
    header = {"number": "0xc", "hash": "0x" + "AB" * 32, "timestamp": "0x10", "more": []}
    assert read_block(header, 12) == Block(12, "0x" + "ab" * 32, 16)
    with pytest.raises(ValueError, match="asked for block 13, it gives block 12"):
        read_block(header, 13)
    with pytest.raises(ValueError, match="block 7 is missing"):
        read_block(None, 7)


@given(st.integers(0, 2**256 - 1))
def test_quantities_are_read_as_they_are_written(value: int) -> None:
    assert read_quantity(hex(value)) == value


@pytest.mark.parametrize("text", ["", "0x", "0x01", "0xg", "1", "-0x1", "0x1 ", " 0x1", None, 1, True])
def test_other_quantities_are_none(text: Any) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        read_quantity(text)


def test_hashes_and_data_are_read_in_lower_case() -> None:
    assert read_hash("0x" + "AB" * 32) == "0x" + "ab" * 32
    assert (read_data("0x"), read_data("0xABcd")) == (b"", b"\xab\xcd")


def test_receipt_is_searched_for_what_was_asked() -> None:
    others = [raw(address="0x" + "99" * 20), raw(topics=[]), raw(topics=[REDEEMED]), raw(topics=[REDEEMED, "0x1"]), 7]
    assert QUESTION.matching([*others, raw()]) == [raw()]
