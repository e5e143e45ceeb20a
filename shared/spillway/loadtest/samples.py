"""What became of requests, and figures over many of them.

Latencies run from the moment at which a request was due, not from the moment at which it was sent: what a slow target
or a slow client holds up counts as waiting, so there is no coordinated omission to correct afterwards. They are kept
in HDR histograms of milliseconds with three significant digits.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

LONGEST_MS = 3_600_000
QUANTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: seconds since the test began. `failure` is a class of error, empty for a whole answer."""

    pipeline: str
    due: float
    sent: float
    ended: float
    failure: str = ""
    served_by: str = ""
    tries: int = 0

    @property
    def seconds(self) -> float:
        """As its user felt it."""
        return self.ended - self.due


class Latencies:
    """A histogram of seconds."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, LONGEST_MS, 3)

    def add(self, seconds: float) -> None:
        """One more; longer than an hour counts as an hour."""
        self._histogram.record_value(min(LONGEST_MS, max(1, round(seconds * 1000))))

    @property
    def count(self) -> int:
        """How many."""
        return int(self._histogram.get_total_count())

    def at(self, percentile: float) -> float:
        """Seconds; 0 where there are none."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1000

    def quantiles(self) -> dict[str, float]:
        """The usual ones, by name."""
        return {f"p{percentile:g}": self.at(percentile) for percentile in QUANTILES}

    def encoded(self) -> str:
        """As other HDR tools read it (base64)."""
        return str(self._histogram.encode().decode())

    def curve(self) -> list[tuple[float, float]]:
        """(percentile, seconds), finer towards the tail."""
        marks = [0.0, 10, 25, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 96, 97, 98, 99, 99.5, 99.9]
        return [(mark, self.at(mark)) for mark in marks] if self.count else []


@dataclass(slots=True)
class Tally:
    """Counts and latencies of some requests."""

    requests: int = 0
    served: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    tries: int = 0
    latency: Latencies = field(default_factory=Latencies)
    by_server: dict[str, Latencies] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """One more request. Only answers have a latency: quick refusals would make a full target look fast."""
        self.requests += 1
        self.tries += sample.tries
        if sample.failure:
            self.failures[sample.failure] += 1
            return
        self.latency.add(sample.seconds)
        self.served[sample.served_by] += 1
        self.by_server.setdefault(sample.served_by, Latencies()).add(sample.seconds)

    @property
    def answered(self) -> int:
        """Whole answers, by whomever."""
        return self.served.total()

    @property
    def success(self) -> float:
        """The part that was answered."""
        return self.answered / self.requests if self.requests else 1.0

    @property
    def subnet_share(self) -> float:
        """The part that the subnet answered."""
        return self.served["subnet"] / self.requests if self.requests else 1.0

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "requests": self.requests,
            "answered": self.answered,
            "success": round(self.success, 5),
            "served_by": dict(self.served.most_common()),
            "subnet_share": round(self.subnet_share, 5),
            "failures": dict(self.failures.most_common()),
            "tries": self.tries,
            "latency": self.latency.quantiles(),
            "latency_by_server": {name: one.quantiles() for name, one in sorted(self.by_server.items())},
            "curve": self.latency.curve(),
            "histogram": self.latency.encoded(),
        }


def tally(samples: Iterable[Sample]) -> Tally:
    """Over all of them."""
    whole = Tally()
    for sample in samples:
        whole.add(sample)
    return whole
