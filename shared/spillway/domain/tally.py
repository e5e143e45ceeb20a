"""Counters that only grow: what one instance did for each route, published whole, summed over instances. Pure.

An instance writes its own document and nobody else's, so nothing is ever read before it is written: a write that is
lost or made twice does no harm. A process that starts again is a new instance. Documents of instances that are gone
are folded into one, which remembers their names, so that each is counted once whatever happens half-way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

FOLDER = "tallies"
RETIRED = "retired"
VERSION = 1
BIN_S = 5.0
BINS_S = 900.0
RETIRE_S = 3600.0
NAMES_KEPT_S = 7 * 86400.0
LARGEST_NAMES = 2000


@dataclass(slots=True)
class Counts:
    """A route. Tries on the subnet end as served, refused (no capacity) or faults; `waited_s` is until the answer,
    `subnet_s` how long the tries took that were served.
    """

    requests: float = 0
    subnet_tries: float = 0
    subnet_served: float = 0
    refused: float = 0
    faults: float = 0
    hosted_starts: float = 0
    hosted_served: float = 0
    failed: float = 0
    usd: float = 0.0
    waited_s: float = 0.0
    subnet_s: float = 0.0

    def add(self, other: "Counts") -> None:
        """Field by field."""
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def since(self, before: "Counts") -> "Counts":
        """What came after; nothing where a counter fell, which happens where the store was emptied."""
        return Counts(**{name: max(0.0, getattr(self, name) - getattr(before, name)) for name in NAMES})

    def row(self) -> list[float]:
        """The fields in their order, for storing."""
        return [getattr(self, name) for name in NAMES]

    @classmethod
    def of_row(cls, row: Iterable[float]) -> "Counts":
        """From a row; fields of a later version are left out."""
        return cls(*(float(value) for value, _ in zip(row, NAMES, strict=False)))

    def body(self) -> dict[str, float]:
        """The fields that are not 0, rounded to what is worth storing."""
        return {name: round(getattr(self, name), 6) for name in NAMES if getattr(self, name)}


NAMES = tuple(one.name for one in fields(Counts))


@dataclass(slots=True)
class Usage:
    """A hosted model or deployment: jobs, their seconds, and when the latest began, [second, jobs] a bin."""

    starts: float = 0
    served: float = 0
    seconds: float = 0.0
    recent: list[tuple[float, float]] = field(default_factory=list)

    def start(self, at: float, *, seconds: float, served: bool) -> None:
        """One job."""
        self.starts += 1
        if served:
            self.served += 1
            self.seconds += seconds
        place = at - at % BIN_S
        if self.recent and self.recent[-1][0] >= place:
            self.recent[-1] = (self.recent[-1][0], self.recent[-1][1] + 1)
        else:
            self.recent = [*(one for one in self.recent if one[0] > at - BINS_S), (place, 1)]

    def add(self, other: "Usage") -> None:
        """The counters; the latest starts of one instance are nobody else's."""
        self.starts += other.starts
        self.served += other.served
        self.seconds += other.seconds

    def go_on(self, later: "Usage") -> None:
        """What the same instance counted afterwards."""
        self.add(later)
        known, begun = dict(self.recent), max((place for place, _ in later.recent), default=0.0)
        for place, jobs in later.recent:
            known[place] = known.get(place, 0) + jobs
        self.recent = [(place, jobs) for place, jobs in sorted(known.items()) if place > begun - BINS_S]


@dataclass(slots=True)
class Tally:
    """All counters of an instance, or of all."""

    routes: dict[str, Counts] = field(default_factory=dict)
    hosted: dict[str, Usage] = field(default_factory=dict)

    def route(self, name: str) -> Counts:
        """The counters of a route."""
        return self.routes.setdefault(name, Counts())

    def place(self, name: str) -> Usage:
        """The counters of a hosted model or deployment."""
        return self.hosted.setdefault(name, Usage())

    def add(self, other: "Tally") -> None:
        """One by one."""
        for name, counts in other.routes.items():
            self.route(name).add(counts)
        for name, usage in other.hosted.items():
            self.place(name).add(usage)

    def go_on(self, later: "Tally") -> None:
        """What the same instance counted afterwards."""
        for name, counts in later.routes.items():
            self.route(name).add(counts)
        for name, usage in later.hosted.items():
            self.place(name).go_on(usage)

    def body(self, at: float) -> dict[str, Any]:
        """The document."""
        return {
            "version": VERSION,
            "at": at,
            "routes": {name: counts.body() for name, counts in self.routes.items()},
            "hosted": {
                name: {
                    "starts": usage.starts,
                    "served": usage.served,
                    "seconds": round(usage.seconds, 3),
                    "recent": [list(one) for one in usage.recent if one[0] > at - BINS_S],
                }
                for name, usage in self.hosted.items()
            },
        }


def read_tally(body: Mapping[str, Any]) -> Tally:
    """From a document; nothing from one of a later version or one that can't be understood."""
    tally = Tally()
    try:
        if body["version"] != VERSION:
            return tally
        for name, counts in body["routes"].items():
            tally.routes[name] = Counts(**{key: float(value) for key, value in counts.items() if key in NAMES})
        for name, usage in body.get("hosted", {}).items():
            recent = [(float(second), float(jobs)) for second, jobs in usage["recent"]]
            tally.hosted[name] = Usage(float(usage["starts"]), float(usage["served"]), float(usage["seconds"]), recent)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Tally()
    return tally


def merged(documents: Mapping[str, Mapping[str, Any]]) -> Tally:
    """The sum over instances, of their documents by key; those that are folded already count once."""
    folded = documents.get(RETIRED, {}).get("folded", {})
    total = Tally()
    for key, body in documents.items():
        if key not in folded:
            total.add(read_tally(body))
    return total


def to_retire(documents: Mapping[str, Mapping[str, Any]], now: float) -> list[str]:
    """The instances that have been silent for so long that they are gone."""
    at = {key: body.get("at", now) for key, body in documents.items() if key != RETIRED}
    return [key for key, second in at.items() if isinstance(second, int | float) and now - second > RETIRE_S]


def folded(documents: Mapping[str, Mapping[str, Any]], gone: Iterable[str], now: float) -> dict[str, Any]:
    """The document of all that are gone, with these; names are kept for as long as a document may come back."""
    before = documents.get(RETIRED, {})
    names = {key: float(at) for key, at in before.get("folded", {}).items() if now - float(at) < NAMES_KEPT_S}
    total = read_tally(before) if before else Tally()
    for key in gone:
        if key not in names:
            total.add(read_tally(documents[key]))
        names[key] = now
    newest = sorted(names, key=lambda key: names[key])[-LARGEST_NAMES:]
    return {**total.body(now), "folded": {key: names[key] for key in newest}}
