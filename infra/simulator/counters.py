"""Counts of what a simulator was asked and what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from simulator.record import Outcome


@dataclass(slots=True)
class Tally:
    """`open` counts requests being handled, `in_flight` those that are being worked on (they hold a slot)."""

    tries: int = 0
    served: int = 0
    refused: int = 0
    failed: int = 0
    canceled: int = 0
    open: int = 0
    max_open: int = 0
    in_flight: int = 0
    max_in_flight: int = 0

    def opened(self) -> None:
        """A request has come."""
        self.tries += 1
        self.open += 1
        self.max_open = max(self.max_open, self.open)

    def closed(self, outcome: Outcome) -> None:
        """It is over."""
        self.open -= 1
        setattr(self, outcome, getattr(self, outcome) + 1)

    @contextmanager
    def working(self) -> Iterator[None]:
        """While it is being worked on."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def summary(self) -> dict[str, Any]:
        """The counts as JSON."""
        return asdict(self)
