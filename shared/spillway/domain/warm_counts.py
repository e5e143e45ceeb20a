"""What is counted of a deployment's instances: sums that fade, and what would be if none were kept warm."""

import math
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

from spillway.domain.warm_terms import WarmTerms


@dataclass(slots=True)
class Fading:
    """A sum whose parts fade with time constant `tau_s`."""

    tau_s: float
    value: float = 0.0
    at: float = 0.0

    def read(self, now: float) -> float:
        """What is left of it."""
        return self.value * math.exp(-max(0.0, now - self.at) / self.tau_s)

    def add(self, now: float, amount: float = 1.0) -> None:
        """One more part."""
        self.value, self.at = self.read(now) + amount, max(self.at, now)

    def span(self, start: float, end: float) -> None:
        """One more for each second of a span that ends now."""
        if end > start:
            self.add(end, self.tau_s * (1.0 - math.exp(-(end - start) / self.tau_s)))


@dataclass(slots=True)
class Level:
    """Instance j: `free` since its last job, cold uses, and seconds it was down or would have to be ordered."""

    free: float
    cold: Fading
    down: Fading
    ordered: Fading
    down_until: float
    needed: bool = False


class Alone:
    """The instances of a deployment of which none is kept warm: which job would have waited for a cold start."""

    def __init__(self, terms: WarmTerms):
        self._terms = terms
        self.idle: deque[float] = deque()
        self.busy: list[float] = []

    def start(self, now: float) -> tuple[bool, float]:
        """Whether a job that starts now finds none, and how many seconds of idleness are paid for since the last."""
        ttl_s, paid_s = self._terms.ttl_s, 0.0
        while self.busy and self.busy[0] <= now:
            self.idle.append(heappop(self.busy))
        while self.idle and now - self.idle[0] > ttl_s:
            self.idle.popleft()
            paid_s += ttl_s
        is_cold = not self.idle
        if not is_cold:
            paid_s += now - self.idle.pop()
        heappush(self.busy, now + self._terms.service_s + (self._terms.cold_start_s if is_cold else 0.0))
        return is_cold, paid_s


@dataclass(slots=True)
class Meter:
    """What a deployment left to itself makes of the jobs, over hours: jobs, seconds online, cold starts."""

    jobs: Fading
    online: Fading
    cold: Fading

    def usd(self, now: float, terms: WarmTerms, usd_per_job: float) -> tuple[float, float]:
        """USD a job of the deployment, waiting for cold starts included, and of the model that is always warm."""
        jobs = self.jobs.read(now)
        if jobs <= 0:
            return 0.0, usd_per_job
        waiting = self.cold.read(now) * terms.cold_start_s * terms.usd_per_second / jobs
        if terms.billed == "kept":
            return usd_per_job + waiting, usd_per_job
        return self.online.read(now) / jobs * terms.usd_per_warm_second + waiting, usd_per_job
