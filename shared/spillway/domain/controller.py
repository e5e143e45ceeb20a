"""What a routing policy is told and what it answers: the words between it and whoever carries its decisions out.

One controller serves one route and model in one instance. It knows neither clock nor network: each call brings the
time, in seconds, and gives back what is to be done now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Protocol


class Ended(Enum):
    """How a try's connection came to its end."""

    SERVED = "served"
    REFUSED = "refused"
    """Turned away for want of capacity, as far as can be told (503)."""
    UNREACHABLE = "unreachable"
    """Closed, reset or never connected: no answer came."""
    BROKEN = "broken"
    """A 500, or an answer that is not whole."""
    TIMEOUT = "timeout"
    CALLER = "caller"
    """The caller's own fault, or doubtful: it says nothing about the subnet."""
    CANCELED = "canceled"
    """We closed it: the caller left, or somebody else had answered."""


Reason = Literal["room", "explore", "probe", "waited", "asked", "full", "overtime", "down", "resting", "capped"]
"""Why a request went where it went. To the subnet: a slot is likely; a paid risk to learn of more; a look whether it
is back; a slot came free; somebody asked for it. To hosted inference: no slot; none in time; the subnet is down;
it asked to be left alone; an operator has bounded its share."""


@dataclass(frozen=True, slots=True)
class Action:
    """What becomes of a request now."""

    key: int
    go: Literal["subnet", "fallback"]
    reason: Reason


Actions = list[Action]


class Controller(Protocol):
    """A routing policy. Every `arrive` leads to one action, unless the request leaves before; every action "subnet"
    opens a try, which holds its place until `ended` is told, however its request was answered.
    """

    def arrive(self, key: int, now: float) -> Actions:
        """A request came. No action for it yet means that it waits; the list may hold others' actions."""
        ...

    def ended(self, key: int, how: Ended, now: float) -> Actions:
        """A try's connection ended."""
        ...

    def beaten(self, key: int, now: float) -> Actions:
        """Hosted inference answered while the try was still open."""
        ...

    def leave(self, key: int, now: float) -> Actions:
        """A waiting request's caller left, or its time ran out."""
        ...

    def hosted_began(self, key: int, now: float) -> None:
        """A hosted job starts."""
        ...

    def hosted_ended(self, key: int, seconds: float | None, now: float) -> None:
        """A hosted job is over; `seconds` is None where it brought no answer."""
        ...

    def tick(self, now: float) -> Actions:
        """Time went by: call it at `wake_at()` at the latest."""
        ...

    def wake_at(self) -> float:
        """When something is due even if nothing happens before; infinity for never."""
        ...

    def hedge_s(self) -> float:
        """Seconds after which a try that starts now is slow enough to start hosted inference beside it."""
        ...

    def may_hedge(self, key: int, now: float) -> bool:
        """Whether the hedge of a try that is slow is paid for now."""
        ...

    def patience_s(self) -> float:
        """Seconds after which a try that starts now is given up."""
        ...

    def report(self, now: float) -> Mapping[str, Any]:
        """What other instances are to know."""
        ...

    def merge(self, reports: Mapping[str, Mapping[str, Any]], now: float) -> Actions:
        """Take in the latest reports of the other instances, by their ids."""
        ...

    @property
    def limit(self) -> float:
        """How many tries the subnet is taken to hold, for people to look at."""
        ...

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        ...
