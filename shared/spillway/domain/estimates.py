"""What a person who waits for a job may be told: how long it may take still, and how far it is.

All of it comes out of what the lane's jobs took lately, by server: a job waits until the subnet has worked off those
before it, or until its time in the queue is up and hosted inference takes it. Seconds throughout; an estimate is a
median, so half of all jobs take longer.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

REMEMBERED = 50
"""Jobs of one server that a lane remembers: enough for a median, and soon those of today."""
RATE_OVER_S = 600.0
LEAST_FOR_RATE = 3
EXPECTED_PART = 0.8
"""How far the bar is when a job has taken as long as half of them do; the rest is for those that take longer."""
LAST_PART = 0.1
SUBNET = "subnet"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one server has done a lane's jobs of late: (ended at, seconds it took), the oldest first."""

    done: tuple[tuple[float, float], ...] = ()

    def with_one(self, at: float, seconds: float) -> "Pace":
        """One more job was done."""
        return Pace(tuple(sorted([*self.done, (at, seconds)]))[-REMEMBERED:])

    @property
    def seconds(self) -> list[float]:
        """How long each took, the shortest first."""
        return sorted(seconds for _, seconds in self.done)

    def rate(self, now: float) -> float | None:
        """Jobs a second, over the last ten minutes; None where they were too few to tell."""
        lately = [at for at, _ in self.done if now - at <= RATE_OVER_S]
        if len(lately) < LEAST_FOR_RATE:
            return None
        return (len(lately) - 1) / max(1e-3, now - lately[0])


@dataclass(frozen=True, slots=True)
class LanePace:
    """A lane's servers by name, and what a job takes of which nothing is known yet."""

    usual_s: float
    servers: Mapping[str, Pace] = field(default_factory=dict)

    def subnet_s(self) -> float:
        """A job on the subnet."""
        return median(self.servers.get(SUBNET, Pace()).seconds, self.usual_s)

    def hosted_s(self) -> float:
        """A job at whichever hosted provider does them."""
        return median(sorted(s for name, pace in self.servers.items() if name != SUBNET for s in pace.seconds),
                      self.usual_s)  # fmt: skip

    def seconds_of(self, server: str) -> list[float]:
        """How long a server's jobs took, the shortest first."""
        return self.servers.get(server, Pace()).seconds

    def rate(self, now: float, running: int) -> float:
        """Jobs that the subnet works off in a second: as measured, and no less than those that run now make."""
        measured = self.servers.get(SUBNET, Pace()).rate(now) or 0.0
        return max(measured, max(1, running) / self.subnet_s())


def queued_s(pace: LanePace, *, ahead: int, running: int, now: float, queue_until: float) -> float:
    """Seconds until a queued job is done that has `ahead` others before it, and may wait for the subnet until then."""
    wait_s = ahead / pace.rate(now, running) if running or ahead else 0.0
    left_s = max(0.0, queue_until - now)
    return wait_s + pace.subnet_s() if wait_s <= left_s else left_s + pace.hosted_s()


def backlog_s(pace: LanePace, *, queued: int, running: int, now: float) -> float:
    """Seconds of the subnet's work that stand in a lane: what its bound in seconds is compared with."""
    return queued / pace.rate(now, running)


def running_s(pace: LanePace, server: str, elapsed_s: float, told: float | None = None) -> float:
    """Seconds until a running job is done; `told` is how far its provider says it is, 0 to 1."""
    if told is not None and told >= LAST_PART:
        return elapsed_s * (1.0 - told) / told
    known = pace.seconds_of(server)
    longer = known[bisect_right(known, elapsed_s) :]
    if longer:
        return median(longer, 0.0) - elapsed_s
    return max(pace.usual_s - elapsed_s, LAST_PART * elapsed_s)


def progress(pace: LanePace, server: str, elapsed_s: float, told: float | None = None) -> float:
    """How far a running job is, 0 to 1: what its provider says, else the time that went by against the median."""
    if told is not None:
        return min(1.0, max(0.0, told))
    part = max(0.0, elapsed_s) / max(1e-3, median(pace.seconds_of(server), pace.usual_s))
    return EXPECTED_PART * part if part <= 1.0 else 1.0 - (1.0 - EXPECTED_PART) / part


def median(ordered: Sequence[float], default: float) -> float:
    """Of values in their order; the default where there is none."""
    if not ordered:
        return default
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
