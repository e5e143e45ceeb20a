"""The gallery of the GIF competition: entries, and who may vote for which. Pure; times are epoch seconds."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from spillway.errors import BadRequest

Order = Literal["new", "top"]
MOST_VOTES = 10_000
LONGEST_PROMPT, LONGEST_NAME = 300, 40
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A GIF in the gallery. `gif`, `video` are keys of artifacts; `voters` are marks of browsers and of addresses."""

    id: str
    prompt: str
    name: str
    gif: str
    video: str
    served_by: str
    at: float
    width: int
    height: int
    hidden: bool = False
    votes: int = 0
    voters: tuple[str, ...] = ()

    def voted(self, marks: Iterable[str]) -> "Entry | None":
        """With a vote of whoever has these marks; None where one of them has voted already."""
        new = tuple(marks)
        if not set(new).isdisjoint(self.voters):
            return None
        return replace(self, votes=self.votes + 1, voters=(*self.voters, *new)[-2 * MOST_VOTES :])

    def body(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


def read_entry(body: Mapping[str, Any]) -> Entry:
    """From `body`; what a later version has added is left out."""
    known = {one.name for one in fields(Entry)}
    return Entry(**{**{name: value for name, value in body.items() if name in known}, "voters": tuple(body["voters"])})


def ordered(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """Those that may be seen, the newest or the best first."""
    seen = [one for one in entries if not one.hidden]
    return sorted(seen, key=lambda one: (one.votes if order == "top" else 0, one.at), reverse=True)


def words(given: object, longest: int, what: str) -> str:
    """A line that a person wrote: without what would disturb others' lines. Raises BadRequest."""
    if not isinstance(given, str):
        raise BadRequest(f"{what} must be a text", code="invalid_field", param=what)
    line = " ".join(_CONTROL.sub(" ", given).split())
    if len(line) > longest:
        raise BadRequest(f"{what} has more than {longest} characters", code="invalid_field", param=what)
    return line
