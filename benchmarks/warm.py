"""What warm instances and the waiting for cold starts cost, by rule, price of waiting and kind of overflow.

`.venv/bin/python benchmarks/warm.py`: USD, means of three seeds, relative to the study's closed form ("erlang").
"""

import bisect
import heapq
import math
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))

from spillway.domain.warm import Billed, WarmRule, WarmTerms

HOUR = 3600.0
PICTURE = WarmTerms(0.000975, 30.0, service_s=3.0, max_instances=20)
VIDEO = WarmTerms(0.0014, 30.0, service_s=40.0, max_instances=20)
Rate = Callable[[float], float]
LOADS: dict[str, tuple[Rate, float, float, WarmTerms]] = {
    "steady": (lambda _: 1.2, 1.2, HOUR, PICTURE),
    "bursts": (lambda at: 5.0 if at % 180 < 22 else 0.0, 5.0, HOUR, PICTURE),
    "diurnal": (lambda at: max(0.0, 3 * math.sin(math.pi * at / 7200) - 1.2), 2.0, 2 * HOUR, PICTURE),
    "outage": (lambda at: 1.2 if 1500 < at < 2100 else 0.01, 1.2, HOUR, PICTURE),
    "flapping": (lambda at: 1.5 if (at // 65) % 2 else 0.15, 1.5, HOUR, PICTURE),
    "neighbours": (lambda at: 0.4 + 0.35 * math.sin(at / 97), 0.8, HOUR, PICTURE),
    "video": (lambda at: 0.03 + 0.02 * math.sin(at / 600), 0.06, 4 * HOUR, VIDEO),
    "one in 90 s": (lambda _: 1 / 90, 1 / 90, 4 * HOUR, PICTURE),
    "one in 200 s": (lambda _: 1 / 200, 1 / 200, 8 * HOUR, PICTURE),
    "video, thin": (lambda _: 1 / 150, 1 / 150, 8 * HOUR, VIDEO),
    "batches": (lambda at: 0.03 if at % 1500 < 90 else 0.0, 0.03, 26 * HOUR, PICTURE),
    "video, sparse": (lambda _: 0.00024, 0.00024, 26 * HOUR, VIDEO),
}


class Rule(Protocol):
    """What is asked how many to keep."""

    def observe(self, now: float) -> None: ...

    def wanted(self, now: float) -> int: ...


class Always:
    """A number that stays."""

    def __init__(self, count: int):
        self._count = count

    def observe(self, now: float) -> None:
        """Never mind."""

    def wanted(self, now: float) -> int:
        """The number."""
        return self._count


class Erlang:
    """The closed form of the study: m + 1 where lam B(m, a) T >= 1; down after T, to zero after a silence."""

    def __init__(self, terms: WarmTerms):
        self._terms = terms
        self._even_s = terms.usd_per_second * terms.cold_start_s / terms.usd_per_warm_second
        self._starts: deque[float] = deque()
        self._kept, self._low, self._last = 0, (math.inf, 0), -math.inf

    def observe(self, now: float) -> None:
        """A start."""
        self._starts.append(now)
        self._last = now

    def wanted(self, now: float) -> int:
        """Up at once, down late."""
        want = self._now(now)
        if now - self._last > max(self._even_s, 60.0):
            self._kept, self._low = 0, (math.inf, 0)
        elif want >= self._kept:
            self._kept, self._low = want, (math.inf, 0)
        else:
            self._low = (min(self._low[0], now), max(self._low[1], want))
            if now - self._low[0] >= self._even_s:
                self._kept, self._low = self._low[1], (math.inf, 0)
        return self._kept

    def _now(self, now: float) -> int:
        while self._starts and self._starts[0] < now - 600:
            self._starts.popleft()
        rate = max(sum(at > now - 60 for at in self._starts) / 60, len(self._starts) / 600)
        load, blocking, count = rate * self._terms.service_s, 1.0, 0
        while count < self._terms.max_instances and rate * blocking * self._even_s >= 1:
            count += 1
            blocking = load * blocking / (count + load * blocking)
        return count


def arrivals(rate: Rate, peak: float, until: float, seed: int) -> list[float]:
    """Poisson of a changing rate."""
    rng, now, starts = Random(seed), 0.0, []
    while (now := now + rng.expovariate(peak)) < until:
        if rng.random() < rate(now) / peak:
            starts.append(now)
    return starts


def cost_usd(terms: WarmTerms, starts: list[float], until: float, rule: Rule) -> float:
    """Paid seconds and waiting; the instance used last is used first, an idle one goes after `ttl_s`."""
    idle: list[float] = []
    busy: list[float] = []
    kept, paid_s, waited_s, before = 0, 0.0, 0.0, 0.0
    rng, online = Random(0), terms.billed == "online"
    rounds = [(terms.round_s * n, 0) for n in range(1, int(until / terms.round_s) + 1)]
    for now, is_start in sorted([*((at, 1) for at in starts), *rounds]):
        while busy and busy[0] <= now:
            idle.append(heapq.heappop(busy))
        idle.sort()
        while idle and len(idle) + len(busy) > kept and now - idle[0] > terms.ttl_s:
            gone = idle.pop(0) + terms.ttl_s
            paid_s += max(0.0, gone - before) if online else 0.0
        paid_s += (now - before) * (len(idle) + len(busy) if online else kept)
        before = now
        if not is_start:
            kept = rule.wanted(now)
            idle += [now + terms.cold_start_s] * max(0, kept - len(idle) - len(busy))
            continue
        rule.observe(now)
        ready = bisect.bisect_right(idle, now)
        wait_s = max(0.0, idle.pop(max(0, ready - 1)) - now) if idle else terms.cold_start_s
        waited_s += wait_s
        heapq.heappush(busy, now + wait_s + terms.service_s * rng.lognormvariate(-0.045, 0.3))
    return terms.usd_per_warm_second * paid_s + terms.usd_per_second * waited_s


def row(name: str, usd_per_second: float, billed: Billed) -> list[float]:
    """Means over seeds of: never, one, four, erlang, the rule."""
    rate, peak, until, given = LOADS[name]
    terms = replace(given, usd_per_second=usd_per_second, billed=billed)
    sums = [0.0] * 5
    for seed in range(3):
        starts = arrivals(rate, peak, until, seed)
        rules: list[Rule] = [Always(0), Always(1), Always(4), Erlang(terms), WarmRule(terms)]
        for place, rule in enumerate(rules):
            sums[place] += cost_usd(terms, starts, until, rule) / 3
    return sums


def main() -> None:
    """Print a table for each bill and price of waiting."""
    for billed in ("kept", "online"):
        for usd_per_second in (0.0002, 0.002, 0.01, 0.05):
            print(f"\n### seconds {billed}, a second of waiting {usd_per_second} USD\n")
            print(
                "| overflow | never | 1 always | 4 always | erlang | ours | ours / erlang |",
                "|---|---|---|---|---|---|---|",
                sep="\n",
            )
            ratios = []
            for name in LOADS:
                sums = row(name, usd_per_second, "kept" if billed == "kept" else "online")
                ratios.append(sums[-1] / sums[-2])
                print(f"| {name} | " + " | ".join(f"{one:.2f}" for one in sums) + f" | {ratios[-1]:.2f} |")
            print(f"| mean, worst | | | | | | {sum(ratios) / len(ratios):.2f}, {max(ratios):.2f} |")


if __name__ == "__main__":
    main()
