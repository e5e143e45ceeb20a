"""The sums of all instances over time: dense for the last hour, thinner for the day and the week. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.proof import Sample, window
from spillway.domain.tally import Counts, Tally

VERSION = 1
# (age, resolution) in seconds. Each reaches one slot further than its window, so that the window has a beginning.
GRAINS = ((3660.0, 60.0), (86400.0 + 900.0, 900.0), (7 * 86400.0 + 3600.0, 3600.0))
REFUSALS_OVER_S = 600.0
# Overflow by chance pauses for longer than this many of its mean distances once in 150 times.
PAUSES = 5.0
SHORTEST_PAUSE_S = 60.0
# The policy tries a full subnet seldom: every five jobs, where they are long.
QUIET_S = 900.0


@dataclass(frozen=True, slots=True)
class Lack:
    """What a route lacked of late, a second; `since` is when overflow began that has gone on ever since, with tries
    that were refused. `busy_slots` are those that jobs held on the subnet, `job_s` each; None where that isn't known.
    """

    refused_per_s: float = 0.0
    overflow_per_s: float = 0.0
    since: float | None = None
    busy_slots: float | None = None
    job_s: float | None = None


@dataclass(slots=True)
class History:
    """Rows of (time, counters by route), the oldest first."""

    rows: list[tuple[float, dict[str, list[float]]]] = field(default_factory=list)

    def add(self, now: float, tally: Tally) -> None:
        """One more row, and fewer old ones."""
        row = {name: counts.row() for name, counts in tally.routes.items() if any(counts.row())}
        self.rows = thinned([*(one for one in self.rows if one[0] < now), (now, row)], now)

    def routes(self) -> list[str]:
        """Every route that anything was counted for."""
        return sorted({name for _, row in self.rows[-1:] for name in row})

    def samples(self, route: str) -> list[Sample]:
        """The route's counters; none of a time is as many as nothing."""
        return [Sample(at, Counts.of_row(row.get(route, ()))) for at, row in self.rows]

    def lack(self, route: str, now: float) -> Lack:
        """Of the last ten minutes."""
        samples = self.samples(route)
        lately = [sample for sample in samples if sample.at >= now - REFUSALS_OVER_S]
        span_s = max(60.0, lately[-1].at - lately[0].at) if lately else 60.0
        counts = window(lately, now, REFUSALS_OVER_S)
        overflow_per_s = counts.hosted_starts / span_s
        # Instances of a release that doesn't count seconds would look idle.
        is_counted = counts.subnet_s > 0 or not counts.subnet_served
        return Lack(
            counts.refused / span_s,
            overflow_per_s,
            _since(samples, overflow_per_s),
            counts.subnet_s / span_s if is_counted else None,
            counts.subnet_s / counts.subnet_served if counts.subnet_s else None,
        )

    def body(self) -> dict[str, Any]:
        """As `read_history` takes it."""
        return {"version": VERSION, "rows": [[at, row] for at, row in self.rows]}


def read_history(body: Mapping[str, Any]) -> History:
    """From the stored form; a new one where it can't be understood."""
    try:
        if body["version"] != VERSION:
            return History()
        rows = [
            (float(at), {str(name): [float(n) for n in counts] for name, counts in row.items()})
            for at, row in body["rows"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return History()
    return History(rows)


def thinned(
    rows: Iterable[tuple[float, dict[str, list[float]]]], now: float
) -> list[tuple[float, dict[str, list[float]]]]:
    """The first row of each slot, whose length depends on its age, and the latest row."""
    kept: list[tuple[float, dict[str, list[float]]]] = []
    taken: set[tuple[float, float]] = set()
    last = list(rows)
    for at, row in last:
        grain_s = next((grain_s for age_s, grain_s in GRAINS if now - at <= age_s), None)
        if grain_s is None or (at != last[-1][0] and (grain_s, at // grain_s) in taken):
            continue
        taken.add((grain_s, at // grain_s))
        kept.append((at, row))
    return kept


def _since(samples: Sequence[Sample], overflow_per_s: float) -> float | None:
    """The beginning of the time up to now in which overflow never paused for longer than chance has it, nor refusals
    for long; None where it is over.

    Refusals alone would not do: a policy that knows the limit meets few of them, however much overflows.
    """
    if not overflow_per_s:
        return None
    pause_s = min(QUIET_S, max(SHORTEST_PAUSE_S, PAUSES / overflow_per_s))
    overflow_at = refused_at = now = samples[-1].at
    for before, after in zip(reversed(samples[:-1]), reversed(samples[1:]), strict=True):
        if after.counts.hosted_starts > before.counts.hosted_starts:
            overflow_at = before.at
        if after.counts.refused > before.counts.refused:
            refused_at = before.at
        if overflow_at - before.at > pause_s or refused_at - before.at > QUIET_S:
            break
    since = max(overflow_at, refused_at)
    return since if since < now else None
