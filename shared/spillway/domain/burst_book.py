"""The book of burst machines: what each may have cost, and what was seen of it and asked of it, from round to round.

An entry is opened before its create call and closed only when listings have shown the machine's absence for a while:
so the bill is never too low, whatever a create or delete answered. A machine that shows up again is opened again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spillway.domain.budget import DAY_S, WRONG_S
from spillway.domain.burst_terms import HOUR_S, BurstTerms, Machine, Order, Status
from spillway.domain.machine_names import read_name

KEPT_S = 2 * DAY_S
VERSION = 1


@dataclass(frozen=True, slots=True)
class Sighting:
    """A machine as a listing shows it; `address` is host:port of its orchestrator, "" where it has none yet."""

    name: str
    status: Status
    address: str = ""


class Entry(BaseModel):
    """One machine. Times are epoch seconds; `until` is None for as long as it may be paid for."""

    model_config = ConfigDict(extra="ignore")

    fleet: str
    since: float
    usd_per_hour: float
    until: float | None = None
    listed: bool = False
    missing_since: float | None = None
    ready_at: float | None = None
    idle_since: float | None = None
    draining_since: float | None = None
    stopped_at: float | None = None
    deleted_at: float | None = None

    def usd(self, start: float, end: float) -> float:
        """What it cost at the most between two times."""
        until = end if self.until is None else min(self.until, end)
        return max(0.0, until - max(self.since, start)) * self.usd_per_hour / HOUR_S

    def failed_at(self, terms: BurstTerms) -> float | None:
        """When it was given up as never having become an orchestrator, None where it wasn't."""
        end = self.until if self.deleted_at is None else self.deleted_at
        never = self.ready_at is None and end is not None and end - self.since >= terms.boot_limit_s
        return end if never else None


class Book(BaseModel):
    """All entries of a deployment. `write` and `read` are the form that is stored."""

    version: int = VERSION
    held_until: float = 0.0
    machines: dict[str, Entry] = Field(default_factory=dict)

    @classmethod
    def read(cls, state: Mapping[str, Any], now: float) -> "Book":
        """From the stored form. One that can't be understood may have spent the day's money: no start this day."""
        try:
            return cls.model_validate(state)
        except ValidationError:
            return cls(held_until=now - now % DAY_S + DAY_S)

    def write(self) -> dict[str, Any]:
        """To the stored form, which is JSON."""
        return self.model_dump(exclude_none=True)

    def fleets(self) -> set[str]:
        """The fleets that may be paid for now."""
        return {entry.fleet for entry in self.machines.values() if entry.until is None}

    def ask(self, name: str, fleet: str, now: float, usd_per_hour: float) -> None:
        """A create call is about to go out."""
        self.machines[name] = Entry(fleet=fleet, since=now, usd_per_hour=usd_per_hour)

    def observe(self, now: float, sightings: Iterable[Sighting], terms: Mapping[str, BurstTerms]) -> None:
        """Enter a listing. `terms` are by fleet; machines of a fleet without terms are entered all the same."""
        self.held_until = min(self.held_until, now + DAY_S)
        for entry in self.machines.values():
            _set_right(entry, now)
        seen = {sighting.name for sighting in sightings}
        for name in seen:
            self._see(name, now, terms)
        for name, entry in list(self.machines.items()):
            if name not in seen and entry.until is None:
                _miss(entry, now, terms.get(entry.fleet, _DEFAULT).settle_s)
            if entry.until is not None and entry.until < now - KEPT_S:
                del self.machines[name]

    def judge(self, now: float, ready: Iterable[str]) -> None:
        """These machines are orchestrators now."""
        for name in ready:
            self.machines[name].ready_at = now

    def note(self, now: float, orders: Sequence[Order], fleet: str) -> None:
        """Remember what a plan asks of each machine; what it no longer asks is forgotten, an end is not."""
        asked = {order.name: order.verb for order in orders}
        for name, entry in self.machines.items():
            if entry.fleet != fleet or entry.until is not None:
                continue
            verb = asked.get(name)
            entry.idle_since = _since(entry.idle_since, now, held=verb is not None)
            entry.draining_since = _since(entry.draining_since, now, held=verb in {"drain", "stop", "delete"})
            entry.stopped_at = _since(entry.stopped_at, now, held=verb == "stop" or entry.stopped_at is not None)
            entry.deleted_at = _since(entry.deleted_at, now, held=verb == "delete" or entry.deleted_at is not None)

    def billed_usd(self, fleet: str, now: float) -> float:
        """What the fleet may have cost this UTC day until now."""
        start = now - now % DAY_S
        return sum(entry.usd(start, now) for entry in self.machines.values() if entry.fleet == fleet)

    def usd_per_hour(self, fleet: str) -> float:
        """The price of the fleet's dearest machine that may be paid for: terms may have been lowered since."""
        rates = [e.usd_per_hour for e in self.machines.values() if e.fleet == fleet and e.until is None]
        return max(rates, default=0.0)

    def hold_until(self, fleet: str, terms: BurstTerms) -> float:
        """When the next start may be tried after machines that never became orchestrators: twice as late each time."""
        entries = [entry for entry in self.machines.values() if entry.fleet == fleet]
        ends = [end for entry in entries if (end := entry.failed_at(terms)) is not None]
        pause_s = min(DAY_S, terms.boot_limit_s * 2 ** (len(ends) - 1)) if ends else 0.0
        return max(self.held_until, max(ends, default=0.0) + pause_s)

    def machines_of(
        self, fleet: str, sightings: Mapping[str, Sighting], ready: Mapping[str, bool] | None
    ) -> list[Machine]:
        """The fleet's machines that may be paid for; `ready` None where nobody could tell."""
        return [
            _machine(name, entry, sightings.get(name), ready)
            for name, entry in self.machines.items()
            if entry.fleet == fleet and entry.until is None
        ]

    def _see(self, name: str, now: float, terms: Mapping[str, BurstTerms]) -> None:
        named = read_name(name)
        if named is None:
            return
        rate = terms.get(named.fleet, _DEFAULT).usd_per_hour
        entry = self.machines.setdefault(
            name, Entry(fleet=named.fleet, since=min(named.asked_at, now), usd_per_hour=rate)
        )
        entry.listed, entry.until, entry.missing_since = True, None, None


def _set_right(entry: Entry, now: float) -> None:
    """Where a wrong clock has asked for a machine, it may have been paid for ever since the day began."""
    late = now + WRONG_S
    if entry.since > late:
        entry.since = now - now % DAY_S
    for name in ("until", "missing_since", "ready_at", "idle_since", "draining_since", "stopped_at", "deleted_at"):
        at = getattr(entry, name)
        if at is not None and at > late:
            setattr(entry, name, now)


def _since(since: float | None, now: float, *, held: bool) -> float | None:
    if not held:
        return None
    return now if since is None else since


def _miss(entry: Entry, now: float, settle_s: float) -> None:
    """One more listing without it; one that was never listed and is not there after a while never was."""
    entry.missing_since = now if entry.missing_since is None else entry.missing_since
    if now - entry.missing_since >= settle_s:
        entry.until = entry.missing_since if entry.listed else entry.since


def _machine(name: str, entry: Entry, sighting: Sighting | None, ready: Mapping[str, bool] | None) -> Machine:
    found = sighting or Sighting(name, "missing")
    return Machine(
        name=name,
        started_at=entry.since,
        status=found.status,
        address=found.address,
        ready=False if not found.address else ready.get(name, False) if ready is not None else None,
        ready_at=entry.ready_at,
        idle_since=entry.idle_since,
        draining_since=entry.draining_since,
        stopped_at=entry.stopped_at,
        deleted_at=entry.deleted_at,
    )


_DEFAULT = BurstTerms(machines=0, usd_per_hour=1.0, usd_per_day=0.0)
