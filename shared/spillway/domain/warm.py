"""How many hosted instances to keep warm: none, unless that costs less than the waiting it saves. Pure.

Jobs run on the instance that was used last, so instance j is used whenever more than j - 1 jobs run at once. Left
alone it stays warm for `ttl_s` after a job, then it is gone, and its next use waits for a cold start. To keep it
warm pays where such uses come at less than T seconds of paid time each,

    T = value of a waiting second * cold start / price of a warm second   (break-even, as for skis: rent or buy)

plus the cold start itself where its seconds are billed too. Both sides are counted here for each j: what was seen,
forgotten over 4 T (600 s at the least), and what Poisson arrivals at the present rate would make (Erlang's B), which
leaves room where a rise has only begun. Instance j is kept where the sum over the first j gains most, none after a
silence of 3 T. benchmarks/warm.py compares the cost with that of other rules.

What a kept instance costs depends on the bill. `online`: every second of an instance that is up, so keeping it costs
what it would have been down. `kept`: only the seconds that were ordered warm, but then those of all j, busy or not;
so they are ordered as late as the free `ttl_s` after a job allows.
"""

import math
from collections import deque
from collections.abc import Mapping
from heapq import heapify
from itertools import islice
from typing import Any

from spillway.domain.budget import WRONG_S
from spillway.domain.warm_counts import Alone, Fading, Level, Meter
from spillway.domain.warm_terms import Billed, WarmTerms

__all__ = ["Billed", "WarmRule", "WarmTerms"]

SILENCE_BREAK_EVENS = 3.0
FAST_S, SLOW_S = 60.0, 600.0
METER_S = 6 * 3600.0
RUNNING_KEPT = 500


class WarmRule:
    """One deployment. `observe` each start of a hosted job, ask `wanted` once a round. Times are in seconds."""

    def __init__(self, terms: WarmTerms, now: float = 0.0):
        self.terms = terms
        tau_s = terms.forget_s
        self._levels = [
            Level(now, Fading(tau_s), Fading(tau_s), Fading(tau_s), now) for _ in range(max(0, terms.max_instances))
        ]
        self._ends: deque[float] = deque()
        self._fast, self._slow = Fading(FAST_S), Fading(SLOW_S)
        self._now = self._asked = self._born = now
        self._last = -math.inf
        self._alone = Alone(terms)
        # A job that comes while its instance is starting needs one more, which is up for its idle minute too.
        more_s = terms.ttl_s if terms.billed == "online" else 0.0
        self._extra = 1.0 + more_s / max(terms.break_even_s, 1.0)
        self.meter = Meter(Fading(METER_S), Fading(METER_S), Fading(METER_S))
        self.reason = "no hosted job yet"

    def observe(self, now: float) -> None:
        """A job starts. Times that go back count as no later than the last one."""
        now = self._forward(now)
        self._last = now
        self._fast.add(now)
        self._slow.add(now)
        self._use(now, len(self._ends))
        self._ends.append(now + self.terms.service_s)

    def _forward(self, now: float) -> float:
        """Jobs that have ended by now free their instances."""
        self._now = max(self._now, now)
        while self._ends and self._ends[0] <= self._now:
            end = self._ends.popleft()
            if len(self._ends) < len(self._levels):
                self._levels[len(self._ends)].free = end
        return self._now

    def _use(self, now: float, place: int) -> None:
        terms = self.terms
        is_cold, idle_s = self._alone.start(now)
        if place < len(self._levels):
            level = self._levels[place]
            was_down = now - level.free > terms.ttl_s
            if was_down:
                self._account(level, now)
            # What was warm before the first job is not known.
            if is_cold and now - self._born > terms.ttl_s:
                level.cold.add(now, 1.0 if was_down else self._extra)
        self.meter.jobs.add(now)
        self.meter.cold.add(now, float(is_cold))
        self.meter.online.add(now, terms.service_s + idle_s + (terms.cold_start_s if is_cold else 0.0))

    def _account(self, level: Level, now: float) -> None:
        """Count how long it has been down."""
        level.down.span(max(level.down_until, level.free + self.terms.ttl_s), now)
        level.down_until = now

    def wanted(self, now: float) -> int:
        """How many instances to order warm from now until the next question."""
        now = self._forward(now)
        self._look(now)
        best = max(self._seen(now), self._expected(now))
        if self.terms.billed == "kept":
            while best and not self._levels[best - 1].needed:
                best -= 1
        self.reason = self._why(now, best)
        return best

    def _look(self, now: float) -> None:
        """Count what was ordered since the last question, and see which instances would go cold before the next."""
        terms, asked = self.terms, self._asked
        self._asked = now
        for place, level in enumerate(self._levels):
            if level.needed:
                level.ordered.span(asked, now)
            running = place < len(self._ends)
            level.needed = not running and level.free + terms.ttl_s < now + terms.round_s
            if not running:
                self._account(level, now)

    def _seen(self, now: float) -> int:
        """How many instances would have paid of late; none once the silence is of another kind than those before."""
        if now - self._last > SILENCE_BREAK_EVENS * max(self.terms.break_even_s, self.terms.ttl_s):
            return 0
        gain, cost, best, most = 0.0, 0.0, 0, 1e-9
        for place, level in enumerate(self._levels, 1):
            gain += self._worth(level.cold.read(now))
            kept = self.terms.billed == "kept"
            cost = place * (level.ordered.read(now) + self.terms.round_s) if kept else cost + level.down.read(now)
            if gain - cost > most:
                best, most = place, gain - cost
        return best

    def _expected(self, now: float) -> int:
        """How many would pay if jobs came by chance at the present rate; none after a long silence."""
        terms, rate = self.terms, self.rate(now)
        if rate <= 0 or now - self._last > max(terms.break_even_s, terms.ttl_s):
            return 0
        load, blocking = rate * terms.service_s, 1.0
        gain, cost, best, most = 0.0, 0.0, 0, 1e-9
        for place in range(1, len(self._levels) + 1):
            uses = rate * blocking
            down = math.exp(-terms.ttl_s * uses)
            gain += self._worth(uses * down)
            kept = terms.billed == "kept"
            cost = place * math.exp(-uses * max(0.0, terms.ttl_s - terms.round_s)) if kept else cost + down
            if gain - cost > most:
                best, most = place, gain - cost
            blocking = load * blocking / (place + load * blocking)
        return best

    def _worth(self, cold: float) -> float:
        """Paid seconds that so many cold starts are worth; none are worth none, also where time has no price."""
        return min(self.terms.break_even_s, 1e12) * cold

    def rate(self, now: float) -> float:
        """Jobs a second: the higher of what the last minute and the last ten say."""
        return max(self._fast.read(now) / FAST_S, self._slow.read(now) / SLOW_S)

    def _why(self, now: float, best: int) -> str:
        per_hour, even_s = self.rate(now) * 3600.0, self.terms.break_even_s
        told = f"{per_hour:.1f} hosted jobs an hour; a cold start is worth {even_s:.0f} warm seconds"
        return f"{told}: {'none pays' if not best else f'{best} pay for themselves'}"

    def write(self) -> dict[str, Any]:
        """As `read` takes it; JSON."""
        skip = max(0, len(self._ends) - RUNNING_KEPT)
        return {
            "born": self._born,
            "now": self._now,
            "asked": self._asked,
            "last": None if math.isinf(self._last) else self._last,
            "ends": list(islice(self._ends, skip, None)),
            "alone": [list(self._alone.idle)[-RUNNING_KEPT:], sorted(self._alone.busy)[-RUNNING_KEPT:]],
            "rates": [_pair(fading) for fading in (self._fast, self._slow)],
            "meter": [_pair(fading) for fading in (self.meter.jobs, self.meter.online, self.meter.cold)],
            "levels": [
                [level.free, level.down_until, level.needed, *map(_pair, (level.cold, level.down, level.ordered))]
                for level in self._levels
            ],
        }

    @classmethod
    def read(cls, terms: WarmTerms, state: Mapping[str, Any], now: float) -> "WarmRule":
        """From the stored form; from nothing where there is none, one that can't be understood, or one of a time to
        come: a clock that was wrong has forgotten all.
        """
        rule = cls(terms, now)
        try:
            rule._read(state)
        except (KeyError, TypeError, ValueError, IndexError):
            return cls(terms, now)
        return rule if rule._now <= now + WRONG_S else cls(terms, now)

    def _read(self, state: Mapping[str, Any]) -> None:
        self._born, self._now, self._asked = (float(state[name]) for name in ("born", "now", "asked"))
        self._last = -math.inf if state["last"] is None else float(state["last"])
        self._ends = deque(float(end) for end in state["ends"])
        idle, busy = state["alone"]
        self._alone.idle, self._alone.busy = deque(map(float, idle)), list(map(float, busy))
        heapify(self._alone.busy)
        meters = (self.meter.jobs, self.meter.online, self.meter.cold)
        for fading, pair in zip((self._fast, self._slow, *meters), [*state["rates"], *state["meter"]], strict=True):
            _set(fading, pair)
        for level, (free, until, needed, *pairs) in zip(self._levels, state["levels"], strict=False):
            level.free, level.down_until, level.needed = float(free), float(until), bool(needed)
            for fading, pair in zip((level.cold, level.down, level.ordered), pairs, strict=True):
                _set(fading, pair)


def _pair(fading: Fading) -> list[float]:
    return [fading.value, fading.at]


def _set(fading: Fading, pair: list[float]) -> None:
    fading.value, fading.at = float(pair[0]), float(pair[1])
