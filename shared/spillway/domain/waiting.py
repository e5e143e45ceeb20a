"""Who waits for a slot of the subnet, and for how long and how many of them that is worth it. Seconds and USD."""

import math
from collections import deque
from dataclasses import dataclass
from random import Random

from spillway.domain.estimate import Estimate
from spillway.domain.pace import HostedPace
from spillway.domain.queueing import Demand, worthwhile_queue
from spillway.domain.waste import Prices

WAIT, WAIT_COLD, LONGEST_WAIT_S, OVERTIME = 0.75, 0.45, 40.0, 1.5
"""The expected wait, in jobs and as a part of the seconds by which hosted inference is slower; and how much longer
than expected a request waits on."""
WARY = 2.5
"""How much shorter waits are where slots are worth less, as a power: there they also come free later than is thought,
as what hangs holds them."""
UNPRICED = 4.0
"""So many jobs' time is taken to be worth a hosted job where seconds have no price."""
MANY = 3.0
"""How many wait where money is scarce, times the root of the slots: that far their number goes up and down."""
FIRST_FREE, FIRST_FREE_SHARED = 0.55, 0.7
"""The part of a job's time, over the slots, until the first of them comes free: half of it, as the running jobs are of
all ages, and a little more as they differ. Each one after that takes a whole part. Other instances take theirs, too."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for a slot until its time is up."""

    key: int
    until: float


class WaitingLine:
    """First come, first served."""

    def __init__(self, prices: Prices, estimate: Estimate, chance: Random) -> None:
        self._prices, self._estimate, self._chance = prices, estimate, chance
        self._queue: deque[Waiting] = deque()
        self.demand, self.hosted_jobs = Demand(), HostedPace()
        self.pressure = 0.0
        """How scarce the money for hosted inference is, 0 to 1: requests wait up to four times as long."""

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def until(self) -> float:
        """When the first one's time is up."""
        return self._queue[0].until

    def join(self, key: int, now: float) -> None:
        """A request waits."""
        self._queue.append(Waiting(key, now + OVERTIME * self._longest_s(now)))

    def leave(self, key: int) -> None:
        """A request waits no longer."""
        self._queue = deque(one for one in self._queue if one.key != key)

    def call(self) -> int:
        """Whose turn it is."""
        return self._queue.popleft().key

    def worth_joining(self, now: float) -> bool:
        """Whether one more request may wait, as things are."""
        if not self._estimate.up:
            return False
        among = 1 + len(self._estimate.peers)
        slots = max(0.5, min(self._estimate.slots.mean(), self._estimate.slots.median() + 0.5) / among)
        first = FIRST_FREE if among == 1 else FIRST_FREE_SHARED
        in_time = (len(self) + first) * self._estimate.jobs.mean_s / slots <= self._longest_s(now)
        # All instances' lines are one queue for all slots: each has its part of what that may be, on average.
        part = self._chance.random() if among > 1 else 0.0
        return in_time and len(self) + part < self._most(slots * among, now, among) / among

    def worth(self, now: float) -> float:
        """What a slot is worth beside one whose job is sure to end well, 0 to 1: a failure costs a try and a wait."""
        prices, well = self._prices, self._estimate.health.rate
        failure_usd = prices.per_try + prices.per_second * self._estimate.slow_s
        gain_usd = prices.per_job + prices.per_second * self._slower_s(now)
        return max(0.0, well - (1.0 - well) * failure_usd / gain_usd) if gain_usd > 0 else well

    def _slower_s(self, now: float) -> float:
        return max(0.0, self.hosted_jobs.next_s(now) - self._estimate.jobs.mean_s)

    def _longest_s(self, now: float) -> float:
        wait_s = WAIT * self._estimate.jobs.mean_s + WAIT_COLD * self._slower_s(now)
        wait_s = min(wait_s, LONGEST_WAIT_S, self._prices.longest_wait_s)
        return wait_s * math.pow(self.worth(now), WARY) * (1.0 + 3.0 * self.pressure)

    def _most(self, slots: float, now: float, among: int) -> float:
        worthwhile = self._worthwhile(slots, now, among)
        return max(worthwhile, MANY * math.sqrt(slots)) * (1.0 + 3.0 * self.pressure) if self.pressure else worthwhile

    def _worthwhile(self, slots: float, now: float, among: int) -> int:
        prices, job_s = self._prices, self._estimate.jobs.mean_s
        job_usd, second_usd = prices.per_job, prices.per_second
        if not second_usd:
            job_usd = job_usd or 1.0
            second_usd = job_usd / (UNPRICED * job_s)
        gain_usd = self.worth(now) * (job_usd + second_usd * self._slower_s(now))
        load = among * self.demand.load(now, job_s)
        return worthwhile_queue(load, slots, second_usd * job_s / max(1e-9, gain_usd))
