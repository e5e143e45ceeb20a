"""Simulated hosted inference of one pipeline: it takes every job, but an instance that was idle for long is cold."""

from collections import deque
from collections.abc import Callable

from spillway.simulation.agenda import Agenda
from spillway.simulation.scenario import Hosted

IDLE_S = 60.0


class HostedModel:
    """Instances come as they are needed; those that are kept warm (`keep`) never go cold and are paid by the second."""

    def __init__(self, terms: Hosted):
        self._terms = terms
        self._idle: deque[float] = deque()
        self._running = 0
        self._kept_s = 0.0
        self._since = 0.0
        self.jobs = 0
        self.kept = 0

    def run(self, agenda: Agenda, answered: Callable[[], None]) -> float:
        """A job from its start to its answer; gives its seconds."""

        def end() -> None:
            self._running -= 1
            self._idle.append(agenda.now)
            answered()

        seconds = self._start(agenda.now)
        agenda.after(seconds, end)
        return seconds

    def _start(self, now: float) -> float:
        """A job starts: how long it takes. The instance that was used last is the first to be used again."""
        while self._idle and now - self._idle[0] > IDLE_S:
            self._idle.popleft()
        warm = bool(self._idle) or self._running < self.kept
        if self._idle:
            self._idle.pop()
        self._running += 1
        self.jobs += 1
        return self._terms.seconds + (0.0 if warm else self._terms.cold_start)

    def keep(self, instances: int, now: float) -> None:
        """Keep as many warm from now on."""
        self._kept_s = self.kept_s(now)
        self.kept, self._since = instances, now

    def kept_s(self, now: float) -> float:
        """Instance seconds that were kept warm."""
        return self._kept_s + self.kept * (now - self._since)
