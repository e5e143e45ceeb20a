"""Numbers as tables are kept by them."""

import math


def rounded(value: float, step: float) -> float:
    """To the nearest power of `step`: what is reckoned for a number is then mostly remembered. `value` is above 0."""
    return float(step ** round(math.log(value) / math.log(step)))
