"""What keeps hosted instances warm: a provider's deployments and how many instances each may and must run."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Scale:
    """At least `least` instances stay up, at most `most` run."""

    least: int
    most: int


class Deployments(Protocol):
    """Deployments of one provider, by name (owner/name). Every call is bounded in time and raises a SpillwayError.

    A failed call proves nothing: what it asked for may have been done, or may still be.
    """

    async def scale(self, name: str) -> Scale:
        """As the provider has it now."""
        ...

    async def set_scale(self, name: str, scale: Scale) -> Scale:
        """Ask for a scale, and give what the provider then has: the one asked for, or one that says it wasn't done."""
        ...
