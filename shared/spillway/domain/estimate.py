"""What is believed of the subnet, learned from what becomes of tries: slots, paces, health. It decides nothing."""

import math
from collections.abc import Callable, Sequence
from operator import mul

from spillway.domain.admission import NEGLIGIBLE, admission
from spillway.domain.controller import Ended
from spillway.domain.crowd import Elsewhere, crowded
from spillway.domain.health import Health
from spillway.domain.open_tries import OpenTries, OpenTry
from spillway.domain.pace import JobPace, RefusalPace, first_guess
from spillway.domain.peers import Peers, Report, leaning
from spillway.domain.rounding import rounded
from spillway.domain.slots import KNOWN, MOMENT_S, SlotBelief

SLIP, UNLIKELY = 0.1, 0.02
"""The least probability that a try gets a slot where the tries that are known leave none: alone, because one more came
free unseen; among other instances, because theirs are known as a mean only."""
FREE_STEP, LEAST_RATE = 1.1, 0.02
"""How often a slot comes free while the gateway keeps a try is taken in steps, as tables are kept by it."""
SPURIOUS, UNREACHABLE = 0.01, 0.1
NONE_LEFT = 0.65
"""The probability of no slot at which the subnet is taken to be down: one refusal after a silence is not enough."""
LOAD_OVER = 60.0
"""Over how many jobs' time tries are counted."""
EARLIER = 0.8
"""How much of what an earlier instance had learned is taken over."""


class Estimate:
    """Of one route and model. Times in seconds, on the clock of whoever calls `advance`."""

    def __init__(self, pipeline: str, tries: OpenTries) -> None:
        self.jobs, self.refusals = JobPace(*first_guess(pipeline)), RefusalPace()
        self.slots, self.health, self.peers = SlotBelief(), Health(), Peers()
        self._tries = tries
        self._worked_s = self._worked_open_s = 0.0
        self._worked_off = 0
        self._apart_s = 0.0
        self.load = 0.0
        """How many tries begin here while a job lasts."""
        self._now = 0.0

    @property
    def slow_s(self) -> float:
        """A job that takes longer is slow."""
        return max(1.3 * self.jobs.p95_s, self.jobs.p95_s + 1.0)

    @property
    def up(self) -> bool:
        """Whether there is hope that a subnet that does nothing else would serve a try."""
        return not self.health.ill and self.slots.p[0] <= NONE_LEFT

    def risk(self, others: int) -> float:
        """The probability that a try beside so many others is refused."""
        if crowd := self.crowd:
            return 1.0 - float(sum(map(mul, self.slots.p, self._chances(others, crowd))))
        full = sum(self.slots.p[: others + 1])
        return full if not others or full <= NEGLIGIBLE else 1.0 - admission(self.slots.p, self._ends(others))

    @property
    def crowd(self) -> Elsewhere | None:
        """What other instances do; None where there are none."""
        return self.peers.elsewhere(self._now, self.jobs.alone_s) if len(self.peers) else None

    def displaced(self, others: int, risk: float) -> float:
        """How many other tries are refused, here or elsewhere, for one more that holds a slot; `risk` is its own."""
        return (self.load + self.peers.load) * (self.risk(others + 1) - risk)

    def _chances(self, others: int, crowd: Elsewhere) -> Sequence[float]:
        """The chance of a try among other instances', with 0, 1, 2 … slots."""
        rate = self.refusals.window_s / self.jobs.alone_s
        free_rate = rounded(rate, FREE_STEP) if rate > LEAST_RATE else 0.0
        return crowded(others, crowd, free_rate, len(self.slots.p))

    def _ends(self, others: int) -> list[float]:
        """How many jobs each of the others brings to an end while the gateway keeps a try, the oldest first."""
        endings = self.jobs.endings(self.refusals.window_s)
        now, tries = self._now, self._tries
        ends = [endings.usual] * (tries.places - tries.connected) + endings.of(now - tried.began for tried in tries)
        return ends[:others] if others <= len(ends) else ends + endings.of([0.0]) * (others - len(ends))

    # What happens.

    def advance(self, now: float, seconds: float) -> None:
        """Time goes by: what was known fades, and tries that are old enough are known to have their slots."""
        self._now = now
        self.slots.advance(now)
        self.health.passed(seconds, self.jobs.mean_s)
        self.load *= math.exp(-seconds / (LOAD_OVER * self.jobs.alone_s))
        self._worked_s += seconds
        self._worked_open_s += seconds * self._tries.connected
        self._tries.passed(now)
        while (tried := self._tries.unproven()) and now - tried.began >= self.refusals.admitted_after_s:
            self._admitted(tried)
        self._lean(now, seconds)

    def _lean(self, now: float, seconds: float) -> None:
        """Come towards what others believe; not at each of several events in one moment, as it costs more than they."""
        others = self.peers.belief(now)
        self._apart_s = self._apart_s + seconds if others else 0.0
        if self._apart_s >= MOMENT_S:
            self.slots.lean(others, leaning(self._apart_s))
            self._apart_s = 0.0

    def known_at(self) -> float:
        """When it will be known of one more try that it has its slot; infinity where none is waited for."""
        tried = self._tries.unproven()
        return tried.began + self.refusals.admitted_after_s if tried else math.inf

    def begun(self) -> None:
        """A try starts: until now, as many were open as before."""
        self._work(served=False)
        self.load += 1.0 / LOAD_OVER

    def ended(self, tried: OpenTry, how: Ended, now: float) -> float:
        """A try ended that is no longer among the open ones; gives how much of it was want of a slot, 0 to 1."""
        self._work(served=how is Ended.SERVED)
        if tried.admitted or how in (Ended.SERVED, Ended.BROKEN):
            self._tries.freed += 1
        if how is Ended.SERVED:
            self._served(tried, now)
        elif how is Ended.REFUSED:
            return self._refused(tried, now)
        elif how is Ended.UNREACHABLE:
            return self.slots.refused(self._tries.older(tried) if tried.admitted else 0, UNREACHABLE)
        elif how in (Ended.TIMEOUT, Ended.BROKEN) and not tried.beaten:
            self.health.failed(hung=how is Ended.TIMEOUT)
        elif how is Ended.CANCELED and tried.began + self.jobs.mean_s > now:
            # The orchestrator works on for nobody, for as long as such jobs take.
            self._tries.haunt(tried.began + self.jobs.mean_s)
        return 0.0

    def start_from(self, report: Report) -> None:
        """Begin with what an earlier instance has told."""
        self.slots.lean(report.slots, EARLIER)
        self.jobs = JobPace(*report.job_s)
        self.refusals.window_s = report.refusal_s

    def _admitted(self, tried: OpenTry) -> None:
        tried.admitted = True
        self.refusals.kept()
        if tried.crowd:
            # Of a slot that was certain there is nothing to learn.
            if tried.risk > KNOWN or not tried.risk:
                self._in_a_crowd(tried.others, tried.crowd, lambda chance: max(UNLIKELY, chance))
            return
        slip = max(SLIP, min(0.5, 1.0 - self.health.rate))
        self.slots.admitted(tried.others, self._tries.freed - tried.freed_before, slip)

    def _in_a_crowd(self, others: int, crowd: Elsewhere, likelihood: Callable[[float], float]) -> float:
        """What became of a try among other instances', of which `likelihood` gives the probability by its chance."""
        self.slots.make_room(others + round(crowd.mean) + 1)
        chances = list(self._chances(others, crowd))
        return self.slots.in_a_crowd(chances, [likelihood(chance) for chance in chances])

    def _work(self, *, served: bool) -> None:
        """How fast jobs are worked off tells of slots; where events are dense, several are looked at together."""
        self._worked_off += served
        if self._worked_s < MOMENT_S:
            return
        # Among other instances' tries it is theirs, too, that slow these down.
        if not len(self.peers):
            open_tries = round(self._worked_open_s / self._worked_s)
            self.slots.worked(open_tries, self._worked_s / self.jobs.alone_s, served=self._worked_off)
        self._worked_s, self._worked_open_s, self._worked_off = 0.0, 0.0, 0

    def _served(self, tried: OpenTry, now: float) -> None:
        if not tried.admitted:
            self._admitted(tried)
        self.slots.alive()
        beside = tried.others + (tried.crowd.mean if tried.crowd else 0.0)
        self.jobs.served(now - tried.began, alone=beside < self.slots.mean() - 1.5)
        if not tried.beaten:
            self.health.good()

    def _refused(self, tried: OpenTry, now: float) -> float:
        quick = self.refusals.refused(now - tried.began)
        if tried.crowd:
            other_cause = self.refusals.odd if quick else SPURIOUS
            risk = self._in_a_crowd(tried.others, tried.crowd, lambda chance: 1.0 - (1.0 - other_cause) * chance)
            return risk / (risk + other_cause * (1.0 - risk))
        if not quick:
            return self.slots.refused(self._tries.older(tried), SPURIOUS)
        # A gateway that is known to keep a try for a while refuses at once for want of any slot, or for no good reason.
        older = 0 if self.refusals.known else self._tries.older(tried)
        return self.slots.refused(older, self.refusals.odd)
