"""Addresses and the hash behind their check sums, beside the libraries of the ecosystem."""

import pytest
from eth_utils import keccak, to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.addresses import checksummed, read_address
from spillway.domain.keccak import keccak_256
from spillway.domain.tickets import REDEEMED, TRANSFER

EVENTS = {
    TRANSFER: "WinningTicketTransfer(address,address,uint256)",
    REDEEMED: "WinningTicketRedeemed(address,address,uint256,uint256,uint256,uint256,bytes)",
}


@given(st.binary(max_size=300))
def test_hash_is_that_of_the_ecosystem(data: bytes) -> None:
    assert keccak_256(data) == keccak(data)


@given(st.binary(min_size=20, max_size=20))
def test_check_sum_is_that_of_the_ecosystem(address: bytes) -> None:
    assert checksummed("0x" + address.hex()) == to_checksum_address(address)


@pytest.mark.parametrize(("topic", "signature"), EVENTS.items())
def test_topics_are_hashes_of_the_events(topic: str, signature: str) -> None:
    assert topic == "0x" + keccak_256(signature.encode()).hex()


ADDRESS = "0x012345dE92B630C065dFc0caBE4eB34f74f7FC85"


@pytest.mark.parametrize("text", [ADDRESS, ADDRESS.lower(), "0x" + ADDRESS[2:].upper()])
def test_address_without_capitals_is_taken_as_it_is(text: str) -> None:
    assert read_address(text) == ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "", "0x", ADDRESS[:-1], ADDRESS + "0", ADDRESS[2:], f" {ADDRESS}", f"{ADDRESS}\n",
        ADDRESS.replace("B630", "b630"),
        ADDRESS.replace("dE", "de"), ADDRESS.replace("5", "6", 1), "gateway.eth", "0x" + "g" * 40, "0x" + "\u0661" * 40,
    ],
)  # fmt: skip
def test_address_of_another_form_or_check_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no address|wrong check sum"):
        read_address(text)
