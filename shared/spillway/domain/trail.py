"""Blocks that a reading of the chain has passed: after a reorganisation they tell from where on it is another chain.

The hash of a block stands for everything before it, so the newest one that the chain still has is where to begin
again. They lie the closer the newer they are: whatever the depth of a reorganisation, not much more than that is
read again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

IN_EACH = 4
"""Blocks kept of those that are from 2^n up to 2^(n+1) behind the newest, for each n."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Numbers and hashes of blocks, the newest first. `first` is where the reading began."""

    first: int
    blocks: tuple[tuple[int, str], ...] = ()

    @property
    def next(self) -> int:
        """The first block that was not read yet."""
        return self.blocks[0][0] + 1 if self.blocks else self.first

    def passed(self, number: int, hash_: str) -> Self:
        """With another block, not older than the newest."""
        older = tuple(block for block in self.blocks if block[0] < number)
        return type(self)(self.first, ((number, hash_), *_thinned(number, older)))

    def before(self, number: int) -> Self:
        """Without that block and newer ones."""
        return type(self)(self.first, tuple(block for block in self.blocks if block[0] < number))

    def body(self) -> dict[str, Any]:
        """As it is stored."""
        return {"first": self.first, "blocks": [list(block) for block in self.blocks]}


def read_trail(body: dict[str, Any]) -> Trail:
    """What was stored."""
    return Trail(body["first"], tuple((number, hash_) for number, hash_ in body["blocks"]))


def _thinned(newest: int, blocks: tuple[tuple[int, str], ...]) -> Iterator[tuple[int, str]]:
    """The oldest of each distance stay: they grow into the next one, where others would leave gaps."""
    kept: dict[int, int] = {}
    chosen = []
    for block in reversed(blocks):
        distance = (newest - block[0]).bit_length()
        kept[distance] = kept.get(distance, 0) + 1
        if kept[distance] <= IN_EACH:
            chosen.append(block)
    yield from reversed(chosen)
