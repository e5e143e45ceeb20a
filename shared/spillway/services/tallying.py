"""Counts the records of requests into what this instance publishes about itself."""

from collections.abc import Iterator
from typing import Any

from spillway.domain.routes import Route, Routes
from spillway.domain.tally import FOLDER, RETIRE_S, Counts, Tally
from spillway.ports import Clock, Served
from spillway.services.naming import own_name

_REFUSED = frozenset({"no-capacity", "unreachable"})
_FAULTS = frozenset({"broken-answer", "failed", "too-slow", "overflow", "fault"})
_UNANSWERED = frozenset({"unanswered", "fault"})


class Tallying:
    """Adapter of ports.Ledger. `snapshot` is the document that belongs at tallies/`key` in the store.

    An instance that was silent for so long that others may have folded its document begins a new one, with what it
    has counted since. So it is published once, whatever became of the old one.
    """

    def __init__(self, routes: Routes, *, epoch: Clock):
        self._routes, self._epoch = routes, epoch
        self._key = ""
        self._tally, self._fresh = Tally(), Tally()
        self._published_at = 0.0

    @property
    def key(self) -> str:
        """The name of the document that the latest snapshot is."""
        self._key = own_name(self._key)
        return self._key

    def record(self, served: Served) -> None:
        """Count one request."""
        route = self._routes.find(served.pipeline, served.model)
        _count(self._fresh, route, served, self._epoch())

    def documents(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """What is published of it: (folder, key, body)."""
        body = self.snapshot()
        yield FOLDER, self.key, body

    def snapshot(self) -> dict[str, Any]:
        """All counters of this instance."""
        now = self._epoch()
        if self._published_at and now - self._published_at > RETIRE_S / 2:
            self._key, self._tally = "", Tally()
        self._tally.go_on(self._fresh)
        self._published_at, self._fresh = now, Tally()
        return self._tally.body(now)


def route_name(route: Route) -> str:
    """The name of a route in tallies and targets."""
    return f"{route.pipeline} {route.model}"


def _count(tally: Tally, route: Route, served: Served, now: float) -> None:
    counts, began = tally.route(route_name(route)), now
    counts.requests += 1
    counts.failed += served.outcome in _UNANSWERED
    counts.usd += served.usd
    counts.waited_s += served.seconds
    for attempt in reversed(served.attempts):
        began -= attempt.seconds
        if attempt.backend == "subnet":
            _count_subnet(counts, attempt.outcome, attempt.seconds)
        elif attempt.outcome not in _REFUSED:
            whole = attempt.outcome == "served"
            counts.hosted_starts += 1
            counts.hosted_served += whole
            tally.place(attempt.place).start(began, seconds=attempt.seconds, served=whole)


def _count_subnet(counts: Counts, outcome: str, seconds: float) -> None:
    """What the caller got wrong, or gave up, says nothing about the subnet."""
    counts.subnet_served += outcome == "served"
    counts.subnet_s += seconds if outcome == "served" else 0.0
    counts.refused += outcome in _REFUSED
    counts.faults += outcome in _FAULTS
    counts.subnet_tries += outcome == "served" or outcome in _REFUSED or outcome in _FAULTS
