"""Keccak-256, the hash of Ethereum, which hashlib's SHA-3 is not: that pads differently.

In Python because settings are checked where web3 is not installed; addresses are short, and few.
Source: https://keccak.team/keccak_specs_summary.html
"""

_MASK = (1 << 64) - 1
_RATE = 136


def keccak_256(data: bytes) -> bytes:
    """The digest, 32 bytes."""
    padded = data + b"\x01" + b"\x00" * (_RATE - len(data) % _RATE - 1)
    padded = padded[:-1] + bytes([padded[-1] | 0x80])
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for place in range(_RATE // 8):
            begin = start + 8 * place
            lanes[place] ^= int.from_bytes(padded[begin : begin + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600] over lanes at x + 5 * y."""
    for constant in _ROUND_CONSTANTS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for place, lane in enumerate(lanes):
            x, y = place % 5, place // 5
            moved[y + 5 * ((2 * x + 3 * y) % 5)] = _rotated(lane ^ mixed[x], _OFFSETS[place])
        lanes = [
            lane ^ (~moved[place - place % 5 + (place + 1) % 5] & moved[place - place % 5 + (place + 2) % 5])
            for place, lane in enumerate(moved)
        ]
        lanes[0] ^= constant
    return lanes


def _rotated(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & _MASK


def _offsets() -> list[int]:
    """How far each lane is turned: triangular numbers along the walk of the specification."""
    offsets, x, y = [0] * 25, 1, 0
    for step in range(24):
        offsets[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return offsets


def _round_constants() -> list[int]:
    """Bits of a linear feedback shift register at places 2^j - 1."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


_OFFSETS = _offsets()
_ROUND_CONSTANTS = _round_constants()
