"""What an operator orders for a route, over the policy: `spillway policy set`."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from spillway.errors import BadSettings

Mode = Literal["auto", "subnet-only", "fallback-only", "off"]


@dataclass(frozen=True, slots=True)
class Override:
    """`mode` off switches the policy off: the subnet is tried first each time. `max_share` bounds the subnet's part."""

    mode: Mode = "auto"
    max_share: float = 1.0

    @property
    def bars_subnet(self) -> bool:
        """Whether nothing at all may go to the subnet."""
        return self.mode == "fallback-only" or self.max_share <= 0.0


AUTO = Override()


def read_override(mode: str, max_share: float) -> Override:
    """An operator's words. Raises BadSettings that says what to change."""
    if mode not in get_args(Mode):
        raise BadSettings(f"--mode {mode}: use one of {', '.join(get_args(Mode))}")
    if not 0.0 <= max_share <= 1.0:
        raise BadSettings(f"--max-share {max_share}: must be between 0 and 1")
    return Override(mode, max_share)  # type: ignore[arg-type]


def from_document(body: dict[str, Any]) -> Override:
    """What the store holds; anything that a later version may have written is as good as no order."""
    try:
        return read_override(str(body.get("mode", "auto")), float(body.get("max_share", 1.0)))
    except (BadSettings, TypeError, ValueError, OverflowError):
        return AUTO
