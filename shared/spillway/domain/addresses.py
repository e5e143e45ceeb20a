"""Ethereum addresses: 20 bytes in hexadecimal, whose capitals are a check sum (EIP-55)."""

import re
from functools import lru_cache

from spillway.domain.keccak import keccak_256

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def read_address(text: str) -> str:
    """The address with its check sum. Raises ValueError for another form, and for a check sum that is wrong."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is no address: 0x and 40 hexadecimal digits")
    address, digits = checksummed(text), text[2:]
    if text != address and digits not in (digits.lower(), digits.upper()):
        raise ValueError(f"{text} has a wrong check sum (EIP-55): is every digit right?")
    return address


@lru_cache(maxsize=4096)
def checksummed(address: str) -> str:
    """A digit is a capital where that of the lower-case address's hash is 8 or more."""
    digits = address[2:].lower()
    pairs = zip(digits, keccak_256(digits.encode()).hex(), strict=False)
    return "0x" + "".join(digit.upper() if int(check, 16) >= 8 else digit for digit, check in pairs)
