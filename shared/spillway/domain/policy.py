"""The routing policy of one route and model: try the subnet, wait a little for a slot, or go to hosted inference.

What the subnet holds is an estimate (`estimate`), apart from the gate here that acts on it: a try starts when it most
likely finds a slot, or when the risk that it does not is paid for by the waste budget and there is a hope to learn of
more slots. A request waits when a slot is worth the wait (`waiting`). Faults are another matter than fullness and have
their own count. Every number that is money or patience follows from the route's prices.
"""

import math
from collections.abc import Mapping
from random import Random
from typing import Any

from spillway.domain.controller import Action, Actions, Ended, Reason
from spillway.domain.estimate import Estimate
from spillway.domain.health import Probing
from spillway.domain.open_tries import OpenTries
from spillway.domain.peers import VERSION, read_report
from spillway.domain.risks import Risks
from spillway.domain.waiting import WaitingLine
from spillway.domain.waste import Prices, WasteBudget

HEDGES, HEDGES_PER_REQUEST = 5.0, 0.05
SOON_S, LATER_S, MOST_ROOM = 0.01, 1.0, 8
"""No request begins more tries at once."""
PROBES_EVERY_S = 20.0
"""At the least one risky try of all instances is paid for in this time, or five jobs'."""


class SubnetPolicy:
    """A Controller (see domain.controller). Times in seconds on one clock, whatever its zero."""

    def __init__(self, pipeline: str, prices: Prices, chance: Random, *, patience_s: float) -> None:
        self.tries = OpenTries()
        self.estimate = Estimate(pipeline, self.tries)
        self.line = WaitingLine(prices, self.estimate, chance)
        self.waste, self.probing = WasteBudget(prices), Probing(chance)
        self._risks = Risks(self.estimate, self.waste, self.tries)
        self._patience_s = patience_s
        self._hedges = HEDGES
        self._at = -math.inf

    # What others ask.

    @property
    def limit(self) -> float:
        """The expected number of slots."""
        return self.estimate.slots.mean()

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self.line)

    @property
    def open(self) -> int:
        """Places that are taken: open tries, and jobs whose connection we closed but which still run."""
        return self.tries.places

    @property
    def up(self) -> bool:
        """Whether there is hope that a subnet that does nothing else would serve a try."""
        return self.estimate.up

    def hedge_s(self) -> float:
        """See Controller. Without any hang of late only what is a job slower than all that was seen is hedged."""
        jobs, slow_s = self.estimate.jobs, self.estimate.slow_s
        if self.probing.key is not None:
            return jobs.mean_s
        return slow_s if self.estimate.health.hangs > 0.3 else max(slow_s, 1.2 * jobs.longest_s) + jobs.mean_s

    def may_hedge(self, key: int, now: float) -> bool:
        """See Controller. A hedge that turns out to have been needed is given back (`beaten`)."""
        if key != self.probing.key:
            if self._hedges < 1.0:
                return False
            self._hedges -= 1.0
        return True

    def patience_s(self) -> float:
        """See Controller. A probe is given up early, as the next one waits for it."""
        return min(self._patience_s, self.estimate.slow_s) if self.probing.key is not None else self._patience_s

    def room(self, now: float) -> int:
        """How many tries of one request could begin at once, `MOST_ROOM` at most.

        All that are sure of a slot, and one more where the waste budget pays for its risk: else whoever asks for
        several pictures would never learn that there is room for them.
        """
        self._advance(now)
        if self.line or self.estimate.health.ill:
            return 0
        for more in range(MOST_ROOM):
            risk = self.estimate.risk(self.open + more)
            if risk > self._risks.sure(self.open + more, risk):
                return more + (risk <= self._risks.bearable(self.open + more))
        return MOST_ROOM

    def wake_at(self) -> float:
        """See Controller: the next end of a wait, or when a try is old enough to be known to have its slot."""
        if not self.line:
            return math.inf
        return max(self._at + SOON_S, min(self.line.until, self._at + LATER_S, self.estimate.known_at()))

    # What happens.

    def arrive(self, key: int, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        self.line.demand.came(self._at, self.estimate.jobs.mean_s)
        self._hedges = min(HEDGES, self._hedges + HEDGES_PER_REQUEST)
        actions = self._release()
        let_in = None if self.line else self._gate()
        if let_in:
            return [*actions, self._begin(key, *let_in)]
        if self.line.worth_joining(self._at):
            self.line.join(key, self._at)
            return actions
        return [*actions, Action(key, "fallback", "full" if self.up else "down")]

    def begin_if_room(self, key: int, now: float) -> Action | None:
        """Begin a try where one may begin now and no request waits; None where not. For those who ask again later."""
        self._advance(now)
        let_in = None if self.line else self._gate()
        return self._begin(key, *let_in) if let_in else None

    def force(self, key: int, now: float) -> None:
        """Somebody else decided that a request is tried: it counts like any other."""
        self._advance(now)
        self._begin(key, "asked", self.estimate.risk(self.open))

    def ended(self, key: int, how: Ended, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        was_up = self.up
        tried, probe = self.tries.end(key), self.probing.over(key)
        full = self.estimate.ended(tried, how, self._at)
        if how is Ended.SERVED:
            self.probing.alive()
            if not was_up:
                self.estimate.slots.unsettle()
            curiosity = self.estimate.slots.liveliness * self.line.worth(self._at)
            self.waste.served(0.0 if len(self.estimate.peers) else curiosity)
        elif how in (Ended.REFUSED, Ended.UNREACHABLE):
            if not probe:
                self.waste.refused(full)
            if probe or not self.tries.connected:
                self.probing.failed(self._at, 0.0)
        elif how in (Ended.TIMEOUT, Ended.BROKEN) and probe:
            self.probing.failed(self._at, self.estimate.slow_s if how is Ended.TIMEOUT else 0.0)
        return self._release()

    def beaten(self, key: int, now: float) -> Actions:
        """See Controller. The try holds its place until its connection ends, but its verdict is now."""
        self._advance(now)
        self.tries[key].beaten = True
        self._hedges = min(HEDGES, self._hedges + 1.0)
        self.estimate.health.failed(hung=True)
        if self.probing.over(key):
            self.probing.failed(self._at, self.estimate.slow_s)
        return self._release()

    def leave(self, key: int, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        self.line.leave(key)
        return self._release()

    def hosted_began(self, key: int, now: float) -> None:
        """See Controller."""
        self.line.hosted_jobs.began(key, now)

    def hosted_ended(self, key: int, seconds: float | None, now: float) -> None:
        """See Controller."""
        self.line.hosted_jobs.ended(key, seconds, now)

    def tick(self, now: float) -> Actions:
        """See Controller."""
        self._advance(now)
        return self._release()

    def _advance(self, now: float) -> None:
        seconds = max(0.0, now - self._at) if self._at > -math.inf else 0.0
        self._at = max(now, self._at)
        self.estimate.advance(self._at, seconds)
        every_s = max(PROBES_EVERY_S, 5 * self.estimate.jobs.mean_s)
        self.waste.passed(seconds, every_s * (1 + len(self.estimate.peers)))

    # The gate.

    def _gate(self) -> tuple[Reason, float] | None:
        """Why a try may start now, and the risk that is taken with it; None where it may not."""
        others, ill = self.open, self.estimate.health.ill
        if not ill:
            risk = self.estimate.risk(others)
            if risk <= self._risks.sure(others, risk):
                return "room", risk
            if self.up and risk <= self._risks.bearable(others):
                return "explore", risk
        if (ill or self.tries.silent()) and self.probing.due(self._at):
            # Where others try as well and are served, it is no look whether anything is still there.
            return ("explore", risk) if self.up and len(self.estimate.peers) else ("probe", 0.0)
        return None

    def _begin(self, key: int, reason: Reason, risk: float) -> Action:
        self.estimate.begun()
        self.tries.begin(key, self._at, risk, self.estimate.crowd)
        if reason == "probe":
            self.probing.key = key
        return Action(key, "subnet", reason)

    def _release(self) -> Actions:
        """What becomes of those that wait, now that something has happened."""
        actions: Actions = []
        while self.line and self.line.until <= self._at:
            actions.append(Action(self.line.call(), "fallback", "overtime"))
        while self.line and (let_in := self._gate()):
            reason, risk = let_in
            actions.append(self._begin(self.line.call(), "probe" if reason == "probe" else "waited", risk))
        while self.line and not self.up:
            actions.append(Action(self.line.call(), "fallback", "down"))
        return actions

    # What instances tell each other.

    def report(self, now: float) -> Mapping[str, Any]:
        """See Controller; also what a new instance starts from."""
        jobs = self.estimate.jobs
        return {
            "version": VERSION,
            "at": now,
            "slots": [round(p, 5) for p in self.estimate.slots.p],
            "job_s": [round(jobs.mean_s, 3), round(jobs.p95_s, 3)],
            "refusal_s": round(self.estimate.refusals.window_s, 3),
            "load": round(self.estimate.load, 3),
            "open": self.open,
            "up": self.up,
        }

    def start_from(self, report: Mapping[str, Any]) -> None:
        """Begin with what an earlier instance has reported, where it can be understood."""
        if told := read_report(report):
            self.estimate.start_from(told)

    def merge(self, reports: Mapping[str, Mapping[str, Any]], now: float) -> Actions:
        """See Controller. Nothing moves at once: the belief leans towards the others' as time goes by."""
        self.estimate.peers.take(reports, now)
        return self.tick(now)
