"""What else is scaled in each of the balancer's rounds, beside the warm instances: what it is told, what it owes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from spillway.domain.history import History
from spillway.domain.tally import Tally
from spillway.services.warm_places import Change

State = dict[str, Any]
Keep = Callable[[State], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a round has found out."""

    now: float
    history: History
    total: Tally


class Scaler(Protocol):
    """One kind of thing that is scaled, with a state of its own. `keep` stores it before money is spent."""

    name: str

    async def round(self, outlook: Outlook, state: Mapping[str, Any], keep: Keep) -> tuple[State, list[Change]]:
        """One round; the state that it gives back is stored too. May raise a SpillwayError."""
        ...
