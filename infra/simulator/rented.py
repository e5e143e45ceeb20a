"""Rented machines behind the simulated clouds: their life, their bill, and the lies that a cloud tells about them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any


@dataclass(slots=True)
class Lies:
    """What is told wrongly; seconds, or a chance from 0 to 1 for each machine or call."""

    runs_early: float = 0.0  # says running from the first moment
    runs_after_delete_s: float = 0.0  # a deleted machine is listed as running for so long; it is not paid for
    delete_repeats: int = 0  # so many deletes of each machine are answered with success and forgotten
    stale_list_s: float = 0.0  # listings show what was true so long ago
    delete_s: float = 0.0  # how long a delete takes; it is paid for


@dataclass(slots=True)
class Rented:
    """One machine; times are the cloud's. `runs_at` None: it never does. `gone_at` is when the bill ends."""

    id: str
    name: str
    made_at: float
    usd_per_hour: float
    runs_at: float | None
    asked: dict[str, Any] = field(repr=False, default_factory=dict)
    address: str = ""
    broken: bool = False
    billed: bool = True
    claims_to_run: bool = False
    deletes: int = 0
    stopped_at: float | None = None
    delete_asked_at: float | None = None
    gone_at: float | None = None

    def status(self, now: float) -> str:
        """What it is, in TensorDock's words; a machine that is gone has the status "deleted"."""
        if self.gone_at is not None and now >= self.gone_at:
            return "deleted"
        if self.delete_asked_at is not None and now >= self.delete_asked_at:
            return "deleting"
        if self.stopped_at is not None and now >= self.stopped_at:
            return "stopped"
        if self.broken:
            return "error"
        return "running" if self.claims_to_run or (self.runs_at is not None and now >= self.runs_at) else "starting"

    def usd(self, start: float, end: float) -> float:
        """Its bill between two times: every second that it is there, stopped or not."""
        until = end if self.gone_at is None else min(self.gone_at, end)
        return max(0.0, until - max(self.made_at, start)) * self.usd_per_hour / 3600.0 if self.billed else 0.0


class Cloud:
    """All machines ever rented. `now` tells the time; `skip` lets it pass at once."""

    def __init__(self, clock: Callable[[], float], random: Random, *, epoch: float, boot_s: float) -> None:
        """Nothing is rented."""
        self.machines: list[Rented] = []
        self.lies = Lies()
        self.boot_s = boot_s
        self.most_at_once = 0
        self._clock, self._random, self._ahead_s = clock, random, epoch

    def now(self) -> float:
        """Epoch seconds in the cloud."""
        return self._clock() + self._ahead_s

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds

    def rent(self, name: str, usd_per_hour: float, asked: dict[str, Any], *, broken: bool, stuck: bool) -> Rented:
        """One more machine, from now on."""
        now = self.now()
        machine = Rented(
            self._id(), name, now, usd_per_hour, None if stuck or broken else now + self.boot_s, asked, broken=broken
        )
        machine.claims_to_run = self._random.random() < self.lies.runs_early
        machine.address = f"198.51.100.{len(self.machines) % 250 + 1}"
        self.machines.append(machine)
        self.most_at_once = max(self.most_at_once, len(self.paid_for()))
        return machine

    def delete(self, machine: Rented) -> None:
        """A delete that was answered with success; some are forgotten."""
        machine.deletes += 1
        if machine.deletes > self.lies.delete_repeats and machine.delete_asked_at is None:
            machine.delete_asked_at = self.now()
            machine.gone_at = self.now() + self.lies.delete_s

    def stop(self, machine: Rented) -> None:
        """It is off; it stays rented."""
        machine.stopped_at = self.now()

    def paid_for(self) -> list[Rented]:
        """The machines that cost money now."""
        now = self.now()
        return [m for m in self.machines if m.billed and (m.gone_at is None or m.gone_at > now)]

    def serving(self) -> list[Rented]:
        """The machines that really run now."""
        now = self.now()
        up = [m for m in self.paid_for() if m.runs_at is not None and m.runs_at <= now]
        return [m for m in up if m.stopped_at is None and m.delete_asked_at is None and not m.broken]

    def listed(self) -> list[tuple[Rented, str]]:
        """What a listing shows: machines with their status."""
        shown, now = self.now() - self.lies.stale_list_s, self.now()
        found = [(m, m.status(shown)) for m in self.machines if m.made_at <= shown]
        return [(m, self._claim(m, status, now)) for m, status in found if self._is_listed(m, status, now)]

    def find(self, key: str) -> Rented | None:
        """By id or name: one that is there."""
        there = [m for m in self.machines if key in {m.id, m.name} and m.status(self.now()) != "deleted"]
        return there[-1] if there else None

    def usd(self, start: float = 0.0, end: float | None = None) -> float:
        """The whole bill, or that of a span of time."""
        return sum(machine.usd(start, self.now() if end is None else end) for machine in self.machines)

    def _is_listed(self, machine: Rented, status: str, now: float) -> bool:
        return status != "deleted" or now < (machine.gone_at or 0.0) + self.lies.runs_after_delete_s

    def _claim(self, machine: Rented, status: str, now: float) -> str:
        haunts = self.lies.runs_after_delete_s > 0 and status in {"deleting", "deleted"}
        return "running" if haunts else status

    def _id(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
