"""How lucky winning tickets were: what was won over what was to be expected, with what chance alone explains.

Winning tickets are rare and independent, so their number is Poisson distributed; the interval is Garwood's exact one
for small numbers, and Wilson and Hilferty's approximation of it for large ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

TAIL = 0.025
Z = 1.959964
EXACT_UP_TO = 200


@dataclass(frozen=True, slots=True)
class Luck:
    """1 is as expected. With a chance of 95 % the true one is from `low` to `high`."""

    ratio: float
    low: float
    high: float


def luck(won: int, won_wei: int, expected_wei: float) -> Luck | None:
    """Of so many winning tickets with this face value together; None where nothing was to be expected.

    Without a winning ticket only the upper end could be told, by a ticket's face value, which is not known then.
    """
    if expected_wei <= 0 or not won:
        return None
    low, high = interval(won)
    ratio = won_wei / expected_wei
    return Luck(ratio, ratio * low / won, ratio * high / won)


def interval(count: int) -> tuple[float, float]:
    """Between which means a Poisson variable that came out as `count` lies, with a chance of 95 %."""
    if count > EXACT_UP_TO:
        return _approximate(count, -Z), _approximate(count + 1, Z)
    low = _solved(lambda mean: 1 - _at_most(count - 1, mean), TAIL, count) if count else 0.0
    high = _solved(lambda mean: 1 - _at_most(count, mean), 1 - TAIL, count)
    return low, high


def _approximate(count: int, z: float) -> float:
    return count * float(1 - 1 / (9 * count) + z / (3 * math.sqrt(count))) ** 3


def _at_most(count: int, mean: float) -> float:
    """The chance that a Poisson variable of this mean is `count` or less."""
    if mean == 0:
        return 1.0 if count >= 0 else 0.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _solved(rising: Callable[[float], float], value: float, count: int) -> float:
    low, high = 0.0, 2.0 * count + 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > value else (middle, high)
    return (low + high) / 2
