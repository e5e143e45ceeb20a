"""What the deposit watch needs from outside."""

from typing import Protocol

from spillway.domain.deposit import Funds
from spillway.domain.ticket_counts import Counters


class Deposits(Protocol):
    """Tells what the TicketBroker holds for gateways."""

    async def funds(self, sender: str) -> Funds:
        """Of one gateway, in bounded time. Raises ChainError or Overflow where nobody can tell just now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class TicketCounters(Protocol):
    """Tells what a gateway has counted since its start."""

    async def counters(self) -> Counters:
        """As they stand now, in bounded time. Raises Overflow."""
        ...
