"""What the gallery needs from outside: somebody who makes GIFs of videos."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Gif:
    """An animation; whoever asked for it closes `content`."""

    content: BinaryIO
    width: int
    height: int
    frames: int


class Animator(Protocol):
    """Turns videos into GIFs."""

    async def animate(self, video: BinaryIO) -> Gif:
        """A GIF that loops for ever, small enough to be shared. Raises MediaBroken."""
        ...
