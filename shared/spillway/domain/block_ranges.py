"""How many blocks are asked for at once: as many as the node gives, found by trying."""

from dataclasses import dataclass, replace
from typing import Self

FIRST, LARGEST = 2_000, 1_000_000
WANTED_LOGS = 2_000
"""So many logs of one answer are handled well; more than twice that are too many to hold in memory."""


@dataclass(frozen=True, slots=True)
class RangeSize:
    """The number of blocks to ask for next. `refused` is the last that was too much, None where none was."""

    blocks: int = FIRST
    refused: int | None = None

    def range(self, first: int, last: int) -> tuple[int, int]:
        """The next range from `first`, no further than `last`."""
        return first, min(last, first + self.blocks - 1)

    def halved(self, blocks: int) -> Self:
        """After a question for so many was too much."""
        return replace(self, blocks=max(1, blocks // 2), refused=blocks)

    def grown(self, blocks: int, logs: int) -> Self:
        """After a question for so many brought so many logs.

        It doubles up to half of what was refused and grows by an eighth beyond: a limit is met rarely, and one that
        is no more is outgrown. Where logs are dense it becomes what brings the wanted number of them.
        """
        if logs > 2 * WANTED_LOGS:
            return replace(self, blocks=max(1, blocks * WANTED_LOGS // logs))
        if logs > WANTED_LOGS or blocks < self.blocks:
            return self
        careful = self.refused is not None and 2 * blocks >= self.refused
        larger = blocks + max(1, blocks // 8) if careful else 2 * blocks
        return replace(self, blocks=min(LARGEST, larger))
