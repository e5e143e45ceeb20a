"""The study's candidate, as its pseudo-code has it, faults and all: what Spillway's policy has to beat."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from spillway.domain.controller import Action, Actions, Ended

INIT, KEEP, BURST, F = 4.0, 0.5, 3.0, 0.03
ADMIT_S, TOP = 2.3, 64.0


@dataclass(slots=True)
class _Try:
    began: float
    beside: int
    probe: bool
    admitted: bool = False
    told: bool = False


class Spill:
    def __init__(self, *, video: bool, instances: int, chance: Random):
        self._chance, self._n_instances = chance, instances
        self._step = 1.0 / instances
        self._kill_s = 120.0 if video else 30.0
        self._latencies: deque[float] = deque([40.0] * 3 + [58.0] if video else [4.0] * 3 + [6.5], maxlen=100)
        self._prior, self._seen = (40.0, 58.0) if video else (4.0, 6.5), 0
        self._s, self._p95 = self._prior
        self._l = self._mem = self._top = max(self._step, INIT / instances)
        self._known = 2 * self._l
        self._slow, self._up, self._row, self._tokens = True, True, 0, BURST
        self._probe: int | None = None
        self._next_probe, self._last_fail = 0.0, -math.inf
        self._good, self._bad, self._backoff, self._hung = 5.0, 0.0, 2.0, False
        self._tries: dict[int, _Try] = {}
        self._waiting: deque[tuple[int, float]] = deque()
        self._now = self._health_at = 0.0
        self._hedges = 5.0
        self._peers: dict[str, tuple[float, bool, float]] = {}

    @property
    def limit(self) -> float:
        return self._l

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def n(self) -> int:
        return sum(not one.told for one in self._tries.values())

    def _floor(self) -> int:
        whole = math.floor(self._l)
        return whole + (self._n_instances > 1 and self._chance.random() < self._l - whole)

    def _advance(self, now: float) -> None:
        dt, self._now = max(0.0, now - self._now), now
        if self._tokens < 1:
            floor_s = max(20.0, 5 * self._s) * self._n_instances
            self._tokens = min(1.0, self._tokens + dt / floor_s)
        half = max(120.0, 10 * self._s)
        fade = 0.5 ** (dt / half)
        self._good, self._bad = 5 + (self._good - 5) * fade, self._bad * fade
        for key, one in list(self._tries.items()):
            if not one.admitted and not one.told and now - one.began >= ADMIT_S:
                one.admitted = True
                if self._up or not self._hung:
                    self._proven(key, one)

    def arrive(self, key: int, now: float) -> Actions:
        self._advance(now)
        self._hedges = min(5.0, self._hedges + 0.05)
        return self._release() + self._route(key, now)

    def _route(self, key: int, t: float) -> Actions:  # noqa: C901 (as in the pseudo-code)
        if not self._up:
            if t >= self._next_probe and self._probe is None:
                return self._begin(key, probe=True)
            return [Action(key, "fallback", "down")]
        if self._l < self._mem and self._tokens >= 0 and t - self._last_fail > max(30, 2 * self._s):
            self._l = self._mem
        quiet = max(120.0, 5 * self._s)
        if self._l < self._known and t - self._last_fail > quiet:
            self._l = self._mem = min(self._known, self._mem + 4 * self._step)
            self._last_fail = t - quiet / 2
        q = len(self._waiting)
        if self.n < self._floor() and q == 0:
            h = self._good / (self._good + self._bad)
            if h >= 0.5 or self._chance.random() < max(0.05, (2 * h) ** 2):
                return self._begin(key, probe=False)
            return [Action(key, "fallback", "down")]
        if self._tokens >= 1 and self._probe is None and t >= self._next_probe and self.n < self._l + 1:
            return self._begin(key, probe=True)
        x = min(self._s / 2, 10.0)
        if self._l >= self._step and (q + 1) * self._s / max(self._l, 1e-9) <= x:
            self._waiting.append((key, t + 1.5 * x))
            return []
        return [Action(key, "fallback", "full")]

    def _begin(self, key: int, *, probe: bool) -> Actions:
        self._tries[key] = _Try(self._now, self.n, probe)
        if probe:
            self._probe = key
        return [Action(key, "subnet", "probe" if probe else "room")]

    def _release(self) -> Actions:
        actions: Actions = []
        while self._waiting and (not self._up or self._waiting[0][1] <= self._now):
            actions.append(Action(self._waiting.popleft()[0], "fallback", "overtime"))
        while self._up and self._waiting and self.n < self._floor():
            actions += self._begin(self._waiting.popleft()[0], probe=False)
        return actions

    def _proven(self, key: int, one: _Try) -> None:
        if not self._up and one.began < self._down_at:
            return
        self._row = 0
        if self._probe == key:
            self._probe = None
        if not self._up:
            self._up, self._l, self._backoff = True, 2 * self._step, 2.0
            self._good, self._bad, self._tokens = 5.0, 0.0, max(1.0, self._tokens)
        elif one.probe or (self._slow and one.beside >= self._l - 2):
            self._l += self._step
        elif self._l < self._mem:
            self._l = min(self._mem, self._l + self._step)
        self._l = min(TOP, self._l)
        self._mem, self._known = max(self._mem, self._l), max(self._known, self._l)

    _down_at = 0.0

    def ended(self, key: int, how: Ended, now: float) -> Actions:
        self._advance(now)
        one = self._tries.pop(key)
        if not one.told:
            self._result(key, one, how, now)
        return self._release()

    def beaten(self, key: int, now: float) -> Actions:
        self._advance(now)
        one = self._tries[key]
        one.told = True
        self._hedges = min(5.0, self._hedges + 1)
        self._result(key, one, Ended.TIMEOUT, now)
        return self._release()

    def _result(self, key: int, one: _Try, how: Ended, t: float) -> None:  # noqa: C901 (as in the pseudo-code)
        n = self.n
        if how is Ended.SERVED:
            self._learn_latency(t - one.began)
            self._good += 1
            self._tokens = min(BURST, self._tokens + F)
            if not one.admitted or not self._up:
                self._proven(key, one)
            if self._probe == key:
                self._probe = None
            self._hung, self._row = False, 0
            return
        refused = how in (Ended.REFUSED, Ended.UNREACHABLE) and not one.admitted
        if self._up and refused:
            self._tokens = max(-1.0, self._tokens - 1)
        if self._probe == key:
            self._probe, self._next_probe = None, t + max(2.0, self._s / 2)
        if not self._up:
            if one.probe:
                self._backoff = min(15.0, 2 * self._backoff)
                self._next_probe = t + self._backoff * self._chance.uniform(0.8, 1.2)
            return
        if refused:
            self._slow = False
        if one.probe and refused:
            self._mem = max(self._l, self._mem - self._step)
            return
        if one.began > self._last_fail:
            self._row += 1
        self._last_fail = t
        if not refused or one.beside < 0.7 * self._l:
            self._bad += 1
        if self._row == 1:
            self._top = self._l
        step = self._step
        if how is Ended.UNREACHABLE and one.admitted:
            self._l = max(step, self._l - step)
            self._mem = max(self._l, self._mem - step)
        if refused:
            if self._n_instances == 1:
                self._l = max(step, min(n, self._l - step), self._l - step * 2 ** max(0, self._row - 1))
            else:
                self._l = max(step, self._l - 2 * step * 2 ** max(0, self._row - 1))
            self._mem = max(self._l, KEEP * self._mem + (1 - KEEP) * self._l)
        self._hung = how is Ended.TIMEOUT
        own_admitted = any(other.admitted and not other.told for other in self._tries.values())
        if self._row >= 4 and (not own_admitted or (self._row >= 8 and not refused)):
            self._up, self._backoff, self._next_probe = False, 2.0, t + 2
            self._down_at = t
            self._mem, self._l = max(self._mem, self._top), step

    def _learn_latency(self, seconds: float) -> None:
        if self._seen == 0:
            self._latencies.clear()
        self._seen += 1
        self._latencies.append(seconds)
        if self._seen < 10:
            return
        if self._seen % 10 == 0:
            ordered = sorted(self._latencies)
            self._s, self._p95 = sum(ordered) / len(ordered), ordered[int(0.95 * len(ordered))]

    def hosted_began(self, key: int, now: float) -> None:
        """A hosted job starts."""

    def hosted_ended(self, key: int, seconds: float | None, now: float) -> None:
        """It does not look at hosted inference."""

    def leave(self, key: int, now: float) -> Actions:
        self._advance(now)
        self._waiting = deque(one for one in self._waiting if one[0] != key)
        return []

    def tick(self, now: float) -> Actions:
        self._advance(now)
        return self._release()

    def wake_at(self) -> float:
        return self._now + 0.25 if self._waiting else math.inf

    def hedge_s(self) -> float:
        hedge = max(1.3 * self._p95, self._p95 + 1)
        return math.inf if not self._up else hedge

    def may_hedge(self, key: int, now: float) -> bool:
        if self._hedges >= 1:
            self._hedges -= 1
            return True
        return False

    def patience_s(self) -> float:
        return self._kill_s if self._up else min(self._kill_s, max(1.3 * self._p95, self._p95 + 1))

    def report(self, now: float) -> Mapping[str, Any]:
        return {"limit": self._l, "up": self._up, "at": now}

    def merge(self, reports: Mapping[str, Mapping[str, Any]], now: float) -> Actions:
        for name, report in reports.items():
            self._peers[name] = (report["limit"], report["up"], report["at"])
        self._merges = getattr(self, "_merges", 0) + 1
        if self._merges % max(1, self._n_instances - 1) == 0:
            live = [limit for limit, up, at in self._peers.values() if up and now - at < 30]
            if live:
                self._l += 0.5 * (sum(live) / len(live) - self._l)
                self._mem = max(self._mem, self._l)
        return []
