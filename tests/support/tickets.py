"""Logs of the TicketBroker made by hand."""

from typing import Any

from spillway.domain.tickets import CERTAIN, REDEEMED, TRANSFER, Log, topic_of

BROKER = "0xa8bb618b1520e284046f3dfc448851a1ff26e41b"
SENDER = "0x012345dE92B630C065dFc0caBE4eB34f74f7FC85"
RECIPIENT = "0x" + "22" * 20
FACE = 10**15
ROUND = 3500


def word(value: int) -> bytes:
    """One argument."""
    return value.to_bytes(32, "big")


def arguments(face: int = FACE, win_prob: int = CERTAIN // 1000, aux: bytes | None = None) -> bytes:
    """The data of a WinningTicketRedeemed; auxData are those of the contract."""
    aux = word(ROUND) + b"\xbb" * 32 if aux is None else aux
    padded = aux + b"\x00" * (-len(aux) % 32)
    return b"".join([word(face), word(win_prob), word(1), word(2), word(160), word(len(aux)), padded])


def log(topic: str, data: bytes, **changes: Any) -> Log:
    """A log of the broker with the usual parties, unless something is changed."""
    parties = (changes.pop("sender", SENDER), changes.pop("recipient", RECIPIENT))
    values: dict[str, Any] = {
        "address": BROKER,
        "topics": (topic, *map(topic_of, parties)),
        "data": data,
        "block_number": 100,
        "block_hash": "0x" + "b1" * 32,
        "tx_hash": "0x" + "aa" * 32,
        "log_index": 0,
    }
    return Log(**{**values, **changes})


def transfer(amount: int, **changes: Any) -> Log:
    """A WinningTicketTransfer."""
    return log(TRANSFER, word(amount), **changes)


def redeemed(face: int = FACE, aux: bytes | None = None, **changes: Any) -> Log:
    """A WinningTicketRedeemed."""
    return log(REDEEMED, arguments(face, aux=aux), **changes)
