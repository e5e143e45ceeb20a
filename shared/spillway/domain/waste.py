"""How many refused tries may be risked: what they cost against what a job on the subnet saves. USD."""

from dataclasses import dataclass

ROOT = 0.073
"""What is learned grows as the root of what is risked: four times the refusals find twice the slots. So the refusals
that pay grow as the square of what a job saves over what a refusal costs. This is their root where both are equal."""
MOST, UNPRICED, LEAST = 0.35, 0.06, 0.03
"""Refused tries a success: at most, where nothing has a price, and at least; without any, nothing is learned about
what the subnet can carry."""
BEARABLE, OFFENCE = 0.22, 20.0
"""Where several instances try: the risk that is borne for a slot that nobody else wants, and how many times its cost a
refused try weighs where that would allow more."""
SAVED_UP = 5.0
REFUSAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Prices:
    """What a doomed try costs, a second of a user's waiting, and the hosted job that takes over."""

    per_try: float = 0.0
    per_second: float = 0.0
    per_job: float = 0.0

    @property
    def refused_per_success(self) -> float:
        """The refused tries that are worth it for each success."""
        if not self.refusal_usd:
            return UNPRICED
        return max(LEAST, min(MOST, min(1.0, ROOT * self.per_job / self.refusal_usd) ** 2))

    @property
    def refusal_usd(self) -> float:
        """What a refused try costs, the user's time included."""
        return self.per_try + REFUSAL_S * self.per_second

    @property
    def longest_wait_s(self) -> float:
        """The wait that costs as much as the hosted job."""
        return self.per_job / self.per_second if self.per_second else float("inf")


class WasteBudget:
    """A bucket of tokens, one for each refused try; successes fill it, and time does up to one."""

    def __init__(self, prices: Prices) -> None:
        self._prices, self._part = prices, prices.refused_per_success
        self.tokens = SAVED_UP

    def bearable(self, displaced: float) -> float:
        """The risk that a try may take beside other instances', where so many others are refused for a slot it gets.

        Only the part of a slot that others would have left is a gain. Where what it saves is so much more than a
        refusal costs that more risk pays, as much is borne as makes the two equal.
        """
        left = 1.0 - min(1.0, max(0.0, displaced))
        refusal_usd = OFFENCE * self._prices.refusal_usd
        gain_usd = left * (refusal_usd + self._prices.per_job)
        return max(BEARABLE * left, 1.0 - refusal_usd / gain_usd if refusal_usd and gain_usd else 0.0)

    def passed(self, seconds: float, refill_s: float) -> None:
        """Time goes by: one try in `refill_s` is always paid for, or a limit that is too low would stay so."""
        if self.tokens < 1.0:
            self.tokens = min(1.0, self.tokens + seconds / refill_s)

    def served(self, curiosity: float = 1.0) -> None:
        """A try was served; `curiosity` scales what it is worth to find out more now."""
        self.tokens = min(SAVED_UP, self.tokens + curiosity * self._part)

    def refused(self, full: float = 1.0) -> None:
        """A try was turned away; `full` is how much of it was for want of a slot, as no limit avoids other causes."""
        self.tokens = max(-1.0, self.tokens - full)
