"""What a gateway counts: tickets it sent, what they were worth, jobs it sent out. Its counters begin at 0 again with
each of its starts; what they grew by is kept by day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
DAYS_KEPT = 40


@dataclass(frozen=True, slots=True)
class Counters:
    """The gateway's counters: `value_wei` is what the tickets were worth, chances included; `jobs` and `prices` (wei a
    unit, the latest) are by "PIPELINE MODEL".
    """

    tickets: float = 0.0
    value_wei: float = 0.0
    jobs: Mapping[str, float] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """As it is stored."""
        return {"tickets": self.tickets, "value_wei": self.value_wei, "jobs": dict(self.jobs),
                "prices": dict(self.prices)}  # fmt: skip


def read_counters(body: Mapping[str, Any]) -> Counters:
    """What was stored."""
    return Counters(body["tickets"], body["value_wei"], body["jobs"], body["prices"])


def grown(before: Counters, now: Counters) -> Counters:
    """By how much the counters grew. One that is smaller than before began again meanwhile."""
    jobs = {name: _grown(before.jobs.get(name, 0.0), count) for name, count in now.jobs.items()}
    value_wei, tickets = _grown(before.value_wei, now.value_wei), _grown(before.tickets, now.tickets)
    return Counters(tickets, value_wei, jobs, now.prices)


def together(parts: Iterable[Counters]) -> Counters:
    """Their sum; prices are those of the last part that has them."""
    tickets = value_wei = 0.0
    jobs: dict[str, float] = {}
    prices: dict[str, float] = {}
    for part in parts:
        tickets, value_wei = tickets + part.tickets, value_wei + part.value_wei
        prices |= part.prices
        for name, count in part.jobs.items():
            jobs[name] = jobs.get(name, 0.0) + count
    return Counters(tickets, value_wei, jobs, prices)


def noted(body: Mapping[str, Any], now: Counters, date: str) -> dict[str, Any]:
    """The document after another look; the first look tells only where the counters stand."""
    known = body.get("version") == VERSION
    days = dict(body["days"]) if known else {}
    if known:
        parts = [grown(read_counters(body["last"]), now)]
        if date in days:
            parts.insert(0, read_counters(days[date]))
        days[date] = together(parts).body()
    kept = dict(sorted(days.items())[-DAYS_KEPT:])
    return {"version": VERSION, "last": now.body(), "days": kept}


def within(body: Mapping[str, Any], first: str, last: str) -> Counters | None:
    """The sum over the days from `first` to `last`; None where the first of them, or one before it, was not seen."""
    if body.get("version") != VERSION:
        return None
    days = body["days"]
    if not days or min(days) > first:
        return None
    return together(read_counters(days[date]) for date in sorted(days) if first <= date <= last)


def _grown(before: float, now: float) -> float:
    return now - before if now >= before else now
