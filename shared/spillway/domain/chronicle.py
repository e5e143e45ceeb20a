"""What happened, by the minute, the quarter of an hour and the hour: counts and latencies that add up. Pure.

An instance writes what it saw in an hour as one document, minute by minute, whole each time. When the hour is over all
instances' documents are summed into the days' documents, first by quarters and hours, and forgotten. So 90 days are
some hundred documents, whatever the traffic was. Times are epoch seconds.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

VERSION = 1
MINUTE_S, QUARTER_S, HOUR_S, DAY_S = 60, 900, 3600, 86400
GROWTH = 1.1
"""Latencies are kept in bins whose bounds grow by a tenth, so a quantile is right within 5 %."""
SHORTEST_S, LONGEST_S = 0.001, 86400.0
_LOG = math.log(GROWTH)


@dataclass(slots=True)
class Times:
    """How long one server's answers took: bins by their number, and how many answers are in each."""

    count: int = 0
    seconds: float = 0.0
    bins: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        """One answer."""
        place = math.floor(math.log(min(max(seconds, SHORTEST_S), LONGEST_S)) / _LOG)
        self.count += 1
        self.seconds += seconds
        self.bins[place] = self.bins.get(place, 0) + 1

    def merge(self, other: "Times") -> None:
        """Those of another document."""
        self.count += other.count
        self.seconds += other.seconds
        for place, count in other.bins.items():
            self.bins[place] = self.bins.get(place, 0) + count

    def quantile(self, q: float) -> float | None:
        """Seconds, by nearest rank; None where there is no answer."""
        left = max(1, math.ceil(q * self.count))
        for place in sorted(self.bins):
            left -= self.bins[place]
            if left <= 0:
                return float(GROWTH ** (place + 0.5))
        return None


@dataclass(slots=True)
class Cell:
    """One pipeline in one stretch of time.

    `tries` and `refused` are of the subnet. `usd` was spent on hosted inference; `spared_usd` would have been, had the
    subnet's answers come from there. `queue_s` is time that requests waited before their first try.
    """

    requests: int = 0
    failed: int = 0
    rejected: int = 0
    canceled: int = 0
    tries: int = 0
    refused: int = 0
    usd: float = 0.0
    spared_usd: float = 0.0
    queue_s: float = 0.0
    served: dict[str, Times] = field(default_factory=dict)

    def answered_by(self, server: str, seconds: float) -> None:
        """One whole answer."""
        self._times(server).add(seconds)

    def merge(self, other: "Cell") -> None:
        """What another instance, or another minute, saw."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for server, times in other.served.items():
            self._times(server).merge(times)

    def _times(self, server: str) -> Times:
        return self.served.setdefault(server, Times())

    @property
    def subnet(self) -> int:
        """Answers of the subnet."""
        times = self.served.get("subnet")
        return times.count if times else 0

    @property
    def answered(self) -> int:
        """Answers by anybody."""
        return sum(times.count for times in self.served.values())

    def hosted_times(self) -> Times:
        """Of everybody but the subnet."""
        whole = Times()
        for server, times in self.served.items():
            if server != "subnet":
                whole.merge(times)
        return whole

    def all_times(self) -> Times:
        """Of all servers together."""
        whole = Times()
        for times in self.served.values():
            whole.merge(times)
        return whole


NUMBERS = tuple(one.name for one in fields(Cell) if one.name != "served")
Cells = dict[int, dict[str, Cell]]
"""By the start of their stretch, then by pipeline."""


def cell(cells: Cells, start: int, pipeline: str) -> Cell:
    """A cell to be added to."""
    return cells.setdefault(start, {}).setdefault(pipeline, Cell())


def merge(into: Cells, others: Cells, step_s: int = 1) -> None:
    """Add cells, gathered into stretches of `step_s`."""
    for start, row in others.items():
        for pipeline, one in row.items():
            cell(into, start - start % step_s, pipeline).merge(one)


def total(rows: Iterable[Mapping[str, Cell]]) -> dict[str, Cell]:
    """The sum over stretches, by pipeline."""
    sums: dict[str, Cell] = {}
    for row in rows:
        for pipeline, one in row.items():
            sums.setdefault(pipeline, Cell()).merge(one)
    return sums


def body_of(cells: Cells) -> dict[str, Any]:
    """As JSON: for each stretch and pipeline the numbers, and for each server [count, seconds, bin, count, bin, …]."""
    return {
        str(start): {pipeline: _packed(one) for pipeline, one in row.items() if one.requests}
        for start, row in sorted(cells.items())
    }


def _packed(one: Cell) -> list[Any]:
    numbers = [round(getattr(one, name), 6) for name in NUMBERS]
    servers = {
        server: [times.count, round(times.seconds, 3), *(n for pair in sorted(times.bins.items()) for n in pair)]
        for server, times in one.served.items()
    }
    return [*numbers, servers]


def cells_of(body: Mapping[str, Any]) -> Cells:
    """From `body_of`; what can't be understood is left out."""
    cells: Cells = {}
    for start, row in body.items():
        try:
            cells[int(start)] = {str(pipeline): _unpacked(packed) for pipeline, packed in row.items()}
        except (TypeError, ValueError, AttributeError, IndexError):
            continue
    return cells


def _unpacked(packed: list[Any]) -> Cell:
    *numbers, servers = packed
    one = Cell(*numbers[: len(NUMBERS)])
    for server, (count, seconds, *bins) in servers.items():
        one.served[server] = Times(count, seconds, dict(zip(bins[::2], bins[1::2], strict=True)))
    return one
