"""How many blocks are asked for at once: as many as the node gives, found by trying."""

from dataclasses import dataclass, replace
from typing import Self

FIRST, LARGEST = 100, 1_000_000
WANTED_LOGS = 2_000
"""So many logs of one answer are handled well; more than twice that are too many to hold in memory."""


FIRST_WAIT, LONGEST_WAIT = 4, 64


@dataclass(frozen=True, slots=True)
class RangeSize:
    """The number of blocks to ask for next.

    `refused` is the smallest number that was too much, None where none is known; it is tried again after `wait`
    answers in a row, of which `calm` have come.
    """

    blocks: int = FIRST
    refused: int | None = None
    calm: int = 0
    wait: int = FIRST_WAIT

    def range(self, first: int, last: int) -> tuple[int, int]:
        """The next range from `first`, no further than `last`."""
        return first, min(last, first + self.blocks - 1)

    def halved(self, blocks: int) -> Self:
        """After a question for so many was too much."""
        wait = min(LONGEST_WAIT, 2 * self.wait) if self.refused == blocks else self.wait
        return type(self)(max(1, blocks // 2), blocks, 0, wait)

    def grown(self, blocks: int, logs: int) -> Self:
        """After a question for so many brought so many logs.

        It doubles until something was refused, and halves its way up to that; a limit that is no more is outgrown.
        Where logs are dense it becomes what brings the wanted number of them.
        """
        if blocks < self.blocks and logs <= 2 * WANTED_LOGS:
            return self
        calm = replace(self, calm=self.calm + 1)
        if self.refused is not None and blocks >= self.refused:
            calm = replace(calm, refused=None, wait=FIRST_WAIT)
        if logs > 2 * WANTED_LOGS:
            return replace(calm, blocks=max(1, blocks * WANTED_LOGS // logs))
        if logs > WANTED_LOGS:
            return calm
        return replace(calm, blocks=min(LARGEST, calm._larger(blocks)))

    def _larger(self, blocks: int) -> int:
        if self.refused is None:
            return 2 * blocks
        if self.calm >= self.wait:
            return self.refused
        return min(2 * blocks, (blocks + self.refused) // 2)
