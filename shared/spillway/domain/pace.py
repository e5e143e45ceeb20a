"""How fast things go on one route: the subnet's jobs, its refusals, and hosted inference. Seconds throughout."""

from collections import deque

from spillway.domain.endings import Endings

REMEMBERED = 100
FIRST_GUESS = {"image-to-video": (40.0, 58.0)}
SHORT_JOB = (4.0, 6.5)
GATEWAY_RETRIES_S = 2.0
IDLE_S = 55.0
QUICK_RUN = 6
MOST_ODD, ODD_WEIGHT = 0.3, 0.02
SHORTEST_S = 0.001
"""No job is taken to be shorter, whatever a clock that stands still says."""


def first_guess(pipeline: str) -> tuple[float, float]:
    """Mean and 95 % quantile of a job before any was seen (from the network's first months)."""
    return FIRST_GUESS.get(pipeline, SHORT_JOB)


class JobPace:
    """How long the subnet's jobs take."""

    def __init__(self, mean_s: float, p95_s: float):
        self.mean_s, self.p95_s = max(SHORTEST_S, mean_s), max(SHORTEST_S, p95_s)
        self.alone_s = self.mean_s
        """Without any wait inside the gateway."""
        self._latest: deque[float] = deque(maxlen=REMEMBERED)
        self._ordered: list[float] = []
        self._endings: Endings | None = None
        self._count = 0

    def endings(self, within_s: float) -> Endings:
        """How probably jobs of each age end in this time."""
        if self._endings is None or abs(within_s - self._endings.within_s) > 0.05 * within_s:
            self._endings = Endings(self._ordered, self.alone_s, within_s)
        return self._endings

    @property
    def longest_s(self) -> float:
        """The longest job that is remembered."""
        return max(self._latest, default=0.0)

    def served(self, seconds: float, *, alone: bool) -> None:
        """A job was done; `alone` where it surely had a slot at once."""
        seconds = max(SHORTEST_S, seconds)
        self._latest.append(seconds)
        self._count += 1
        if alone:
            self.alone_s += 0.05 * (seconds - self.alone_s)
        if self._count % 5 == 0:
            ordered = self._ordered = sorted(self._latest)
            self._endings = None
            self.mean_s = sum(ordered) / len(ordered)
            self.p95_s = ordered[int(0.95 * len(ordered))]
            # Little at a time: the mean of few jobs goes up and down by chance, and its lowest is no job's.
            self.alone_s += min(0.0, 0.05 * (self.mean_s - self.alone_s))


class RefusalPace:
    """How long the gateway keeps a try before it refuses it for want of a slot."""

    def __init__(self) -> None:
        self.window_s = GATEWAY_RETRIES_S
        self.known = False
        """Whether a try was seen to be kept for as long: then one that is refused at once was so for another cause."""
        self.odd = MOST_ODD
        """How often a try is refused too quickly for want of a slot."""
        self._quick = 0

    @property
    def admitted_after_s(self) -> float:
        """A try that is open for longer has a slot."""
        return 1.15 * self.window_s + 0.3

    def kept(self) -> None:
        """A try was not refused at once."""
        self.odd -= ODD_WEIGHT * self.odd

    def refused(self, seconds: float) -> bool:
        """A try was refused; gives whether that was too quick to be for want of a slot.

        Quick ones are ignored until there are only quick ones: then this gateway refuses at once. A single late one
        may be an orchestrator's and moves little.
        """
        quick = seconds < 0.5 * self.window_s
        self._quick = self._quick + 1 if quick else 0
        self.known = self.known or not quick
        if quick:
            self.odd = min(MOST_ODD, self.odd + ODD_WEIGHT * (1.0 - self.odd))
        else:
            self.kept()
        if seconds > self.window_s:
            self.window_s += 0.5 * (min(seconds, 2 * self.window_s + 1.0) - self.window_s)
        elif not quick or self._quick > QUICK_RUN:
            self.window_s += 0.2 * (seconds - self.window_s)
        return quick


class HostedPace:
    """How long hosted inference takes, warm and cold: an instance that was idle for a minute is taken to be cold."""

    def __init__(self) -> None:
        self.warm_s = self.cold_s = 0.0
        self._idle: deque[float] = deque()
        self._running: dict[int, bool] = {}

    def next_s(self, now: float) -> float:
        """How long a job would take that starts now; 0 before anything is known."""
        self._cool(now)
        return self.warm_s if self._idle and self.warm_s else max(self.warm_s, self.cold_s)

    def began(self, key: int, now: float) -> None:
        """A job starts."""
        self._cool(now)
        warm = bool(self._idle)
        if warm:
            self._idle.pop()
        self._running[key] = warm

    def ended(self, key: int, seconds: float | None, now: float) -> None:
        """It is over; `seconds` is None where it brought nothing."""
        warm = self._running.pop(key, None)
        if warm is None or seconds is None:
            return
        self._idle.append(now)
        if warm:
            self.warm_s += 0.1 * (seconds - self.warm_s) if self.warm_s else seconds
        else:
            self.cold_s += 0.2 * (seconds - self.cold_s) if self.cold_s else seconds

    def _cool(self, now: float) -> None:
        while self._idle and now - self._idle[0] > IDLE_S:
            self._idle.popleft()
