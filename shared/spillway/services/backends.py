"""What requests are answered with: routes, the subnet, hosted inference, and the books that are kept of them."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.routes import Fallback, Route, Routes
from spillway.ports import Clock, Inference, Ledger
from spillway.services.budgets import Budgets
from spillway.services.exchange import Exchange
from spillway.services.gates import Gates

LONGEST_REST_S = 60.0


@dataclass(slots=True)
class Backends:
    """Everything that requests are answered with. `subnet` is None where no gateway is configured."""

    routes: Routes
    subnet: Inference[Route] | None
    hosted: Mapping[str, Inference[Fallback]]
    gates: Gates
    exchange: Exchange
    budget: Budgets
    ledger: Ledger
    monotonic: Clock
    epoch: Clock
    leftovers: "set[asyncio.Task[Any]]" = field(default_factory=set)
    """Tries that were beaten and are watched to their end, as they hold a slot until then."""
    resting: dict[str, float] = field(default_factory=dict)
    """Until when hosted places want to be left alone."""

    def rest(self, place: str, seconds: float | None) -> None:
        """A hosted place has asked to be left alone for so long: meanwhile it comes last."""
        if seconds:
            self.resting[place] = self.monotonic() + min(seconds, LONGEST_REST_S)

    def rests(self, place: str) -> bool:
        """Whether it still wants to be left alone."""
        return self.resting.get(place, -math.inf) > self.monotonic()

    async def leave(self) -> None:
        """Tell other instances at once what this one has learned and spent; requests in flight go on."""
        await asyncio.gather(self.exchange.leave(), self.budget.leave())

    async def close(self) -> None:
        """Finish what goes on beside requests, and tell other instances what this one has learned and spent."""
        for task in self.leftovers:
            task.cancel()
        await asyncio.gather(*self.leftovers, return_exceptions=True)
        await asyncio.gather(*(provider.close() for provider in self.hosted.values()))
        await asyncio.gather(self.exchange.leave(), self.budget.close())

    @property
    def the_subnet(self) -> Inference[Route]:
        """The subnet, where a round has found that there is one."""
        assert self.subnet is not None  # noqa: S101 (a round plans no try without it)
        return self.subnet
