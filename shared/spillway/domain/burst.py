"""Burst orchestrators: whether to rent machines for a route, and when to let them go. Pure: one round's decision.

**When a machine pays.** Overflow of a full subnet that has gone on for E seconds is expected to go on for about as
long again (there is no better guess without a scale of its own). A machine rented now is paid for at least
`minimum_run_s`, or for E where that is longer, and earns nothing for the first `boot_s`:

    cost   = usd_per_hour / 3600 * max(minimum_run_s, E)
    saving = jobs it carries per second * usd per hosted job * (E - boot_s)

It is started when the saving is larger. So how long a lack must persist is no setting of its own: it follows from
prices, and a short burst never rents anything. The n-th machine carries only what the n-1 before it leave over.

**When it goes.** A machine that carries less than its price is kept for as long as a new boot would cost (renting or
buying skis: never more than twice the best choice in hindsight), then it is drained, stopped and deleted.

**The money.** `usd_per_day` is never passed, whatever the cloud says: a machine counts as running from before its
create call until listings have shown its absence for `settle_s`. Each start must leave room for its minimum run and
the removal of all machines, in each UTC day they touch; when waiting for the next round (`round_s`) would not leave
room to remove what runs, machines go at once. That holds for a cloud that removes within `removal_s`; a machine that
can't be removed for longer costs what it costs, and others go to make up for it.

Everything is derived from what runs now. The times that a machine carries (idle, draining …) only make the answer
better; without them the same steps are taken, later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spillway.domain.budget import DAY_S
from spillway.domain.burst_terms import STOP_S, BurstTerms, Hardware, Machine, MachineSpec, Need, Order, Status, Verb

__all__ = ["BurstTerms", "Hardware", "Machine", "MachineSpec", "Need", "Order", "Status", "Verb", "plan"]


def plan(
    now: float,
    machines: Sequence[Machine],
    need: Need,
    terms: BurstTerms,
    spent: float,
    *,
    hold_until: float = 0.0,
) -> list[Order]:
    """The orders of this round, removals first.

    `machines` are all that may be paid for, `spent` the USD that they and those before them cost today (UTC) at the
    most. Nothing is started before `hold_until`.
    """
    case = _Case(now, tuple(machines), need, terms, spent)
    orders = [Order("delete", f"it is {m.status}", m.name) for m in machines if m.going and _may_be_deleted(m, now)]
    leaving = case.leaving()
    orders += [case.farewell(m, leaving[m.name]) for m in machines if m.name in leaving and m.status != "missing"]
    staying = [m for m in machines if not m.going and m.name not in leaving]
    idle = case.idle(staying)
    orders += [Order("idle", "it carries less than its price", machine.name) for machine in idle]
    if not leaving and not idle and now >= hold_until:
        orders += case.starts(staying)
    return orders


def _may_be_deleted(machine: Machine, now: float) -> bool:
    if machine.status == "missing":
        return False
    stopping = machine.status in {"starting", "running", "stopping", "unknown"}
    if machine.stopped_at is None or machine.deleted_at is not None or not stopping:
        return True
    return now - machine.stopped_at >= STOP_S


@dataclass(frozen=True, slots=True)
class _Case:
    """What a decision rests on."""

    now: float
    machines: tuple[Machine, ...]
    need: Need
    terms: BurstTerms
    spent_usd: float

    def leaving(self) -> dict[str, str]:
        """The living machines that go now, each with its reason."""
        living = [machine for machine in self.machines if not machine.going]
        leaving = {machine.name: reason for machine in living if (reason := self._fault(machine))}
        rest = sorted((machine for machine in living if machine.name not in leaving), key=self._place)
        while len(rest) > self.terms.machines:
            leaving[rest.pop(0).name] = f"there may be {self.terms.machines} machines"
        while rest and not self._fits(self._windows(rest)):
            leaving[rest.pop(0).name] = f"the day's {self.terms.usd_per_day:g} USD hold no more of it"
        for machine in self.idle(rest):
            if machine.idle_since is not None and self.now - machine.idle_since >= self.terms.boot_s:
                leaving[machine.name] = "it carries less than its price"
        return leaving

    def farewell(self, machine: Machine, reason: str) -> Order:
        """The next step of a machine that goes: no new jobs, then no process, then no disk."""
        if machine.ready is False:
            return Order("delete", reason, machine.name)
        since = machine.draining_since
        drained = since is not None and self.now - since >= self.terms.drain_s
        return Order("stop" if drained else "drain", reason, machine.name)

    def idle(self, staying: Sequence[Machine]) -> list[Machine]:
        """Machines past their minimum run that the demand doesn't pay for."""
        busy_slots = self._busy_slots(machine for machine in staying if machine.ready is not False)
        worth = sum(self._usd_per_s(rank, busy_slots) >= self.terms.usd_per_s for rank in range(len(staying)))
        surplus = sorted(staying, key=self._place)[: len(staying) - worth]
        return [machine for machine in surplus if self._has_run(machine)]

    def starts(self, staying: Sequence[Machine]) -> list[Order]:
        """As many starts as pay and fit."""
        need, terms = self.need, self.terms
        if need.since is None or need.refused_per_s <= 0 or need.overflow_per_s <= 0:
            return []
        expected_s = max(0.0, self.now - need.since)
        cost_usd = terms.usd_per_s * max(terms.minimum_run_s, expected_s)
        busy_slots = self._busy_slots(machine for machine in staying if machine.ready is True)
        windows, orders = self._windows(staying), list[Order]()
        while len(windows) < terms.machines:
            worth = self._usd_per_s(len(staying) + len(orders), busy_slots)
            saving_usd = worth * max(0.0, expected_s - terms.boot_s)
            windows.append(terms.minimum_run_s + terms.round_s + terms.farewell_s)
            if saving_usd <= cost_usd or not self._fits(windows) or not self._can_all_go(len(windows)):
                break
            orders.append(Order("start", f"{saving_usd:.2f} USD of hosted jobs for {cost_usd:.2f} USD of machine"))
        return orders

    def _fault(self, machine: Machine) -> str | None:
        """Why a machine can't stay, whatever the need."""
        last = max(machine.started_at, machine.ready_at or machine.started_at)
        if machine.ready is False and self.now - last >= self.terms.boot_limit_s:
            return "it is no longer an orchestrator" if machine.ready_at else "it never became an orchestrator"
        return "its lifetime is over" if self.now - machine.started_at >= self.terms.lifetime_s else None

    def _has_run(self, machine: Machine) -> bool:
        return self.now - machine.started_at >= self.terms.minimum_run_s

    def _place(self, machine: Machine) -> tuple[bool, bool, float]:
        """Who goes first: machines that had their minimum run, of those the ones that don't serve, the youngest."""
        return not self._has_run(machine), machine.ready is True, -machine.started_at

    def _busy_slots(self, serving: Iterable[Machine]) -> float:
        """How many slots of burst machines the demand would fill: what they carry now, and what overflows."""
        slots = self.terms.slots * sum(1 for _ in serving)
        free = self.need.free_slots
        unseen = slots if self.need.refused_per_s > 0 else 0
        carried = unseen if free is None else max(0.0, slots - max(0.0, free))
        return carried + self.need.overflow_per_s * self.need.service_s

    def _usd_per_s(self, rank: int, busy_slots: float) -> float:
        """What the machine of this rank (from 0) saves each second."""
        slots = self.terms.slots
        return min(max(busy_slots - rank * slots, 0.0), slots) / self.need.service_s * self.need.usd_per_job

    def _windows(self, staying: Sequence[Machine]) -> list[float]:
        """How long each machine is paid for at the least: to its removal; those that stay have their minimum run."""
        terms = self.terms
        runs = [max(0.0, machine.started_at + terms.minimum_run_s - self.now) for machine in staying]
        stays = [run_s + terms.round_s + terms.farewell_s for run_s in runs]
        return [terms.farewell_s] * (len(self.machines) - len(staying)) + stays

    def _fits(self, windows: Sequence[float]) -> bool:
        """Whether machines paid for so many seconds from now keep each UTC day within its money."""
        today_s = DAY_S - self.now % DAY_S
        today = self.spent_usd + self.terms.usd_per_s * sum(min(length, today_s) for length in windows)
        tomorrow = self.terms.usd_per_s * sum(min(max(length - today_s, 0.0), DAY_S) for length in windows)
        return max(today, tomorrow) <= self.terms.usd_per_day

    def _can_all_go(self, count: int) -> bool:
        """Whether any one day's money holds the removal of so many: midnight may fall into it."""
        going_s = min(DAY_S, self.terms.round_s + self.terms.farewell_s)
        return count * self.terms.usd_per_s * going_s <= self.terms.usd_per_day
