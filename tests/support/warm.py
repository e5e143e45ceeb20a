"""Streams of hosted jobs, and what they cost with some instances kept warm."""

import bisect
import heapq
from collections.abc import Callable
from random import Random

from spillway.domain.warm import WarmTerms


def arrivals(per_s: float, until: float, seed: int = 1) -> list[float]:
    """Poisson."""
    rng, now, starts = Random(seed), 0.0, []
    while (now := now + rng.expovariate(per_s)) < until:
        starts.append(now)
    return starts


def bursts(*, every_s: float, last_s: float, per_s: float, until: float) -> list[float]:
    """Poisson for `last_s` out of `every_s`."""
    return [at for at in arrivals(per_s, until) if at % every_s < last_s]


def cost_usd(
    terms: WarmTerms, starts: list[float], observe: Callable[[float], None], wanted: Callable[[float], int]
) -> float:
    """Paid seconds and waiting for cold starts, asked once a round; the instance used last is used first."""
    idle: list[float] = []
    busy: list[float] = []
    kept, paid_s, waited_s, before = 0, 0.0, 0.0, 0.0
    rounds = [(terms.round_s * n, 0) for n in range(1, int((starts[-1] + 900) / terms.round_s))]
    for now, is_start in sorted([*((at, 1) for at in starts), *rounds]):
        while busy and busy[0] <= now:
            idle.append(heapq.heappop(busy))
        idle.sort()
        up = len(idle) + len(busy)
        while idle and up > kept and now - idle[0] > terms.ttl_s:
            gone = idle.pop(0) + terms.ttl_s
            paid_s += max(0.0, gone - before) if terms.billed == "online" else 0.0
            up -= 1
        paid_s += (now - before) * (up if terms.billed == "online" else kept)
        before = now
        if not is_start:
            kept = wanted(now)
            idle += [now + terms.cold_start_s] * max(0, kept - up)
            continue
        observe(now)
        ready = bisect.bisect_right(idle, now)
        wait_s = max(0.0, idle.pop(max(0, ready - 1)) - now) if idle else terms.cold_start_s
        waited_s += wait_s
        heapq.heappush(busy, now + wait_s + terms.service_s)
    return terms.usd_per_warm_second * paid_s + terms.usd_per_second * waited_s
