"""The routing policy of one route and model: try the subnet, wait a little for a slot, or go to hosted inference.

What the subnet holds is an estimate (`slots`), apart from the gate that acts on it: a try starts when it most likely
finds a slot, or when the risk that it does not is paid for by the waste budget and there is a hope to learn of more
slots. A request waits when a slot is worth the wait. Faults are another matter than fullness and have their own
count. Every number that is money or patience follows from the route's prices.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from spillway.domain.controller import Action, Actions, Ended, Reason
from spillway.domain.health import Health, Probing
from spillway.domain.pace import HostedPace, JobPace, RefusalPace, first_guess
from spillway.domain.peers import VERSION, Peers, leaning, read_report
from spillway.domain.queueing import Demand, worthwhile_queue
from spillway.domain.slots import MOMENT_S, SlotBelief
from spillway.domain.waste import Prices, WasteBudget

SURE = 0.05
"""The risk of a refusal at which a try is as good as sure of its slot."""
DARING, HOPE = 0.6, 0.3
"""Risk for each token saved up, where the probability of more slots is at least `HOPE`; less in proportion."""
WAIT, WAIT_COLD, LONGEST_WAIT_S, OVERTIME = 0.6, 0.3, 40.0, 1.5
"""The expected wait, in jobs and as a part of the seconds by which hosted inference is slower; and how much longer
than expected a request waits on."""
CURIOUS = 1.2
"""A lively network is explored up to this much more than the prices alone allow, a calm one less."""
CURIOUS_SHARED = 0.7
SLIP, SLIP_SHARED = 0.1, 0.6
SPURIOUS, SPURIOUS_QUICK, UNREACHABLE = 0.01, 0.3, 0.1
HEDGES, HEDGES_PER_REQUEST = 5.0, 0.05
EARLIER = 0.8
"""How much of what an earlier instance had learned is taken over."""
SOON_S, LATER_S = 0.01, 1.0
MOST_ROOM = 8
"""No request begins more tries at once."""
PROBES_EVERY_S = 20.0
"""At the least one risky try is paid for in this time, or five jobs'."""


@dataclass(slots=True)
class OpenTry:
    """A try whose connection is open: how many were open beside it when it began, and the risk that was taken."""

    began: float
    others: int
    risk: float
    freed_before: int = 0
    admitted: bool = False
    beaten: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for a slot until its time is up."""

    key: int
    until: float


class SubnetPolicy:
    """A Controller (see domain.controller). Times in seconds on one clock, whatever its zero."""

    def __init__(self, pipeline: str, prices: Prices, chance: Random, *, patience_s: float) -> None:
        self.jobs = JobPace(*first_guess(pipeline))
        self.refusals, self.hosted_jobs = RefusalPace(), HostedPace()
        self.slots, self.health, self.probing = SlotBelief(), Health(), Probing(chance)
        self.waste, self.demand, self.peers = WasteBudget(prices), Demand(), Peers()
        self._prices, self._patience_s = prices, patience_s
        self._open: dict[int, OpenTry] = {}
        self._unproven: deque[int] = deque()
        self._queue: deque[Waiting] = deque()
        self._freed = 0
        self._ghosts: deque[float] = deque()
        self._worked_s = self._worked_open_s = 0.0
        self._worked_off = 0
        self._hedges = HEDGES
        self._at = -math.inf
        self.pressure = 0.0
        """How scarce the money for hosted inference is, 0 to 1: requests wait up to four times as long."""

    # What others ask.

    @property
    def limit(self) -> float:
        """The expected number of slots."""
        return self.slots.mean()

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self._queue)

    @property
    def open(self) -> int:
        """Places that are taken: open tries, and jobs whose connection we closed but which still run."""
        return len(self._open) + len(self._ghosts)

    @property
    def up(self) -> bool:
        """Whether a try of a subnet that does nothing else is more likely served than not."""
        return not self.health.ill and self.slots.chance(0, self._free_rate) >= 0.5

    def hedge_s(self) -> float:
        """See Controller. Without any hang of late only what is slower than all that was seen is hedged."""
        if self.probing.key is not None:
            return self.jobs.mean_s
        slow_s = self._slow_s
        return slow_s if self.health.hangs > 0.3 else max(slow_s, 1.2 * self.jobs.longest_s)

    def may_hedge(self, key: int, now: float) -> bool:
        """See Controller. A hedge that turns out to have been needed is given back (`beaten`)."""
        if key != self.probing.key:
            if self._hedges < 1.0:
                return False
            self._hedges -= 1.0
        return True

    def patience_s(self) -> float:
        """See Controller. A probe is given up early, as the next one waits for it."""
        return min(self._patience_s, self._slow_s) if self.probing.key is not None else self._patience_s

    def room(self, now: float) -> int:
        """How many tries of one request could begin at once, `MOST_ROOM` at most.

        All that are sure of a slot, and one more where the waste budget pays for its risk: without that one, whoever
        asks again and again for several pictures would never learn that there is room for them.
        """
        self._advance(now)
        if self._queue or self.health.ill:
            return 0
        for more in range(MOST_ROOM):
            others = self.open + more
            risk = 1.0 - self.slots.chance(others, self._free_rate)
            if risk > SURE:
                return more + (risk <= SURE + self._daring(others))
        return MOST_ROOM

    def wake_at(self) -> float:
        """See Controller: the next end of a wait, or when a try is old enough to be known to have its slot."""
        if not self._queue:
            return math.inf
        news = [tried.began + self.refusals.admitted_after_s for tried in (self._oldest_unproven(),) if tried]
        return max(self._at + SOON_S, min([self._queue[0].until, self._at + LATER_S, *news]))

    # What happens.

    def arrive(self, key: int, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        self.demand.came(self._at)
        self._hedges = min(HEDGES, self._hedges + HEDGES_PER_REQUEST)
        actions = self._release()
        reason = None if self._queue else self._gate()
        if reason:
            return [*actions, self._begin(key, reason)]
        if self._worth_waiting(len(self._queue)):
            self._queue.append(Waiting(key, self._at + OVERTIME * self._longest_wait_s()))
            return actions
        return [*actions, Action(key, "fallback", "full" if self.up else "down")]

    def begin_if_room(self, key: int, now: float) -> Action | None:
        """Begin a try where one may begin now and no request waits; None where not. For those who ask again later."""
        self._advance(now)
        reason = None if self._queue else self._gate()
        return self._begin(key, reason) if reason else None

    def force(self, key: int, now: float) -> None:
        """Somebody else decided that a request is tried: it counts like any other."""
        self._advance(now)
        self._begin(key, "asked")

    def ended(self, key: int, how: Ended, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        self._work(served=how is Ended.SERVED)
        tried = self._open.pop(key)
        probe = self.probing.over(key)
        if tried.admitted or how in (Ended.SERVED, Ended.BROKEN):
            self._freed += 1
        if how is Ended.SERVED:
            self._served(tried)
        elif how in (Ended.REFUSED, Ended.UNREACHABLE):
            self._turned_away(tried, how, probe=probe)
        elif how in (Ended.TIMEOUT, Ended.BROKEN):
            self._failed(tried, how, probe=probe)
        elif how is Ended.CANCELED:
            self._leave_ghost(tried)
        return self._release()

    def beaten(self, key: int, now: float) -> Actions:
        """See Controller. The try holds its place until its connection ends, but its verdict is now."""
        self._advance(now)
        tried = self._open[key]
        tried.beaten = True
        self._hedges = min(HEDGES, self._hedges + 1.0)
        self.health.failed(hung=True)
        if self.probing.over(key):
            self.probing.failed(self._at, self._slow_s)
        return self._release()

    def leave(self, key: int, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        self._queue = deque(one for one in self._queue if one.key != key)
        return self._release()

    def hosted_began(self, key: int, now: float) -> None:
        """See Controller."""
        self.hosted_jobs.began(key, now)

    def hosted_ended(self, key: int, seconds: float | None, now: float) -> None:
        """See Controller."""
        self.hosted_jobs.ended(key, seconds, now)

    def tick(self, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        return self._release()

    # The estimate.

    @property
    def _free_rate(self) -> float:
        """How often one slot comes free while the gateway keeps a try; in steps, as tables are kept by it."""
        rate = self.refusals.window_s / self.jobs.alone_s
        return float(1.1 ** round(math.log(rate) / math.log(1.1))) if rate > 0.02 else 0.0

    @property
    def _slow_s(self) -> float:
        return max(1.3 * self.jobs.p95_s, self.jobs.p95_s + 1.0)

    def _advance(self, now: float) -> None:
        seconds = max(0.0, now - self._at) if self._at > -math.inf else 0.0
        self._at = max(now, self._at)
        self.slots.advance(self._at)
        self.health.passed(seconds, self.jobs.mean_s)
        self.waste.passed(seconds, max(PROBES_EVERY_S, 5 * self.jobs.mean_s))
        self._worked_s += seconds
        self._worked_open_s += seconds * len(self._open)
        while self._ghosts and self._ghosts[0] <= self._at:
            self._ghosts.popleft()
        while (tried := self._oldest_unproven()) and self._at - tried.began >= self.refusals.admitted_after_s:
            self._admitted(tried)
        others = self.peers.belief(self._at)
        if others and seconds:
            self.slots.lean(others, leaning(seconds))

    def _oldest_unproven(self) -> OpenTry | None:
        """The oldest try of which it is not known yet whether it has a slot."""
        while self._unproven:
            tried = self._open.get(self._unproven[0])
            if tried is not None and not tried.admitted and not tried.beaten:
                return tried
            self._unproven.popleft()
        return None

    def _admitted(self, tried: OpenTry) -> None:
        tried.admitted = True
        slip = max(SLIP_SHARED if len(self.peers) else SLIP, min(0.5, 1.0 - self.health.rate))
        self.slots.admitted(tried.others, self._freed - tried.freed_before, slip)

    def _work(self, *, served: bool) -> None:
        """How fast jobs are worked off tells of slots; where events are dense, several are looked at together."""
        self._worked_off += served
        if self._worked_s < MOMENT_S:
            return
        open_tries = round(self._worked_open_s / self._worked_s)
        self.slots.worked(open_tries, self._worked_s / self.jobs.alone_s, served=self._worked_off)
        self._worked_s, self._worked_open_s, self._worked_off = 0.0, 0.0, 0

    def _served(self, tried: OpenTry) -> None:
        if not tried.admitted:
            self._admitted(tried)
        self.slots.alive()
        self.probing.alive()
        self.waste.served((CURIOUS - self.slots.weights[0]) * (CURIOUS_SHARED if len(self.peers) else 1.0))
        self.jobs.served(self._at - tried.began, alone=tried.others < self.slots.mean() - 1.5)
        if not tried.beaten:
            self.health.good()

    def _turned_away(self, tried: OpenTry, how: Ended, *, probe: bool) -> None:
        older = sum(other.began <= tried.began for other in self._open.values())
        if how is Ended.REFUSED:
            quick = self.refusals.refused(self._at - tried.began)
            self.slots.refused(older, SPURIOUS_QUICK if quick else SPURIOUS)
        else:
            self.slots.refused(older if tried.admitted else 0, UNREACHABLE)
        if not probe:
            self.waste.refused()
        if probe or not self._open:
            self.probing.failed(self._at, 0.0)

    def _failed(self, tried: OpenTry, how: Ended, *, probe: bool) -> None:
        if not tried.beaten:
            self.health.failed(hung=how is Ended.TIMEOUT)
        if probe:
            self.probing.failed(self._at, self._slow_s if how is Ended.TIMEOUT else 0.0)

    def _leave_ghost(self, tried: OpenTry) -> None:
        """The orchestrator works on for nobody, for as long as such jobs take."""
        until = tried.began + self.jobs.mean_s
        if until > self._at:
            self._ghosts = deque(sorted([*self._ghosts, until]))

    # The gate.

    def _gate(self) -> Reason | None:
        """Why a try may start now; None where it may not."""
        others = self.open
        if not self.health.ill:
            risk = 1.0 - self.slots.chance(others, self._free_rate)
            if risk <= SURE:
                return "room"
            if self.up and risk <= SURE + self._daring(others):
                return "explore"
        alone = all(tried.beaten for tried in self._open.values())
        return "probe" if (alone or self.health.ill) and self.probing.due(self._at) else None

    def _daring(self, others: int) -> float:
        pending = sum(tried.risk for tried in self._open.values() if not tried.admitted)
        hope = min(1.0, self.slots.more_than(others) / HOPE)
        return DARING * hope * max(0.0, self.waste.tokens - pending)

    def _begin(self, key: int, reason: Reason) -> Action:
        self._work(served=False)
        risk = 0.0 if reason == "probe" else 1.0 - self.slots.chance(self.open, self._free_rate)
        self._open[key] = OpenTry(self._at, self.open, risk, self._freed)
        self._unproven.append(key)
        if reason == "probe":
            self.probing.key = key
        return Action(key, "subnet", reason)

    def _release(self) -> Actions:
        """What becomes of those that wait, now that something has happened."""
        actions: Actions = []
        while self._queue and self._queue[0].until <= self._at:
            actions.append(Action(self._queue.popleft().key, "fallback", "overtime"))
        while self._queue and (reason := self._gate()):
            actions.append(self._begin(self._queue.popleft().key, "probe" if reason == "probe" else "waited"))
        if self._queue and not self.up:
            actions += [Action(one.key, "fallback", "down") for one in self._queue]
            self._queue.clear()
        return actions

    def _worth_waiting(self, before: int) -> bool:
        """Whether a request may wait behind `before` others."""
        if not self.up:
            return False
        slots = max(0.5, min(self.slots.mean(), self.slots.median() + 0.5))
        in_time = (before + 1) * self.jobs.mean_s / slots <= self._longest_wait_s()
        return in_time and before < self._longest_queue(slots)

    def _longest_wait_s(self) -> float:
        slower_s = max(0.0, self.hosted_jobs.next_s(self._at) - self.jobs.mean_s)
        wait_s = min(WAIT * self.jobs.mean_s + WAIT_COLD * slower_s, LONGEST_WAIT_S, self._prices.longest_wait_s)
        return wait_s * (1.0 + 3.0 * self.pressure)

    def _longest_queue(self, slots: float) -> float:
        if not self._prices.per_second or self.pressure:
            return 3.0 * math.sqrt(slots) * (1.0 + 3.0 * self.pressure)
        slower_s = (self.hosted_jobs.next_s(self._at) or self.jobs.mean_s) - self.jobs.mean_s
        gain_usd = max(1e-9, self._prices.per_job + self._prices.per_second * slower_s)
        load = self.demand.rate(self._at) * self.jobs.mean_s
        return worthwhile_queue(load, slots, self._prices.per_second * self.jobs.mean_s / gain_usd)

    # What instances tell each other.

    def report(self, now: float) -> Mapping[str, Any]:
        """See Controller; also what a new instance starts from."""
        return {
            "version": VERSION,
            "at": now,
            "slots": [round(p, 5) for p in self.slots.p],
            "job_s": [round(self.jobs.mean_s, 3), round(self.jobs.p95_s, 3)],
            "refusal_s": round(self.refusals.window_s, 3),
            "up": self.up,
        }

    def start_from(self, report: Mapping[str, Any]) -> None:
        """Begin with what an earlier instance has reported, where it can be understood."""
        if told := read_report(report):
            self.slots.lean(told.slots, EARLIER)
            self.jobs = JobPace(*told.job_s)
            self.refusals.window_s = told.refusal_s

    def merge(self, reports: Mapping[str, Mapping[str, Any]], now: float) -> Actions:
        """See Controller. Nothing moves at once: the belief leans towards the others' as time goes by."""
        self.peers.take(reports, now)
        return self.tick(now)
