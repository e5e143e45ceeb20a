"""Faults to order: which requests go wrong, how, how often and when.

A simulator asks its book once for each request. A rule matches by method and path prefix, then by chance (seeded, so
a run can be repeated), until it has struck `times` times. Rules without a path leave file downloads alone; give
"/stream/" or "/files/" to hit those.
"""

import random
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Kind = Literal[
    # before anything is worked on
    "status",  # this status, with the service's own error body, or `body` as it stands
    "close",  # the connection is closed without a byte
    "reset",  # the same with RST
    "empty",  # 200 with an empty body
    "not_json",  # 200 with a page that says application/json
    "slow_first_byte",  # nothing for `delay_s`, then all is well
    # while it is worked on
    "hang",  # taken, never answered
    "refuse",  # 503 after the retry window, as a full subnet does
    "error",  # 500 after half the service time
    "slow",  # 3 times the service time
    "extra_slow",  # 10 times
    "runner",  # the model's own server answers `status`; a gateway maps it in its own way
    # in the middle of the body
    "cut",  # RST
    "clean_cut",  # a clean end of the HTTP body, too early
    "stall",  # silence for ever
    "malformed_chunk",  # rubbish in one SSE line, then the rest
    "no_end_marker",  # everything but finish_reason and [DONE]
    # in what is answered
    "no_images",
    "nsfw",
    "truncated_media",  # the file is cut in half, with a content-length to match
    "missing_media",  # the file's URL is a 404
    "wrong_media",  # a page that says it is a picture
    # only at hosted APIs
    "context_length",
    "content_filter",
    "failed",  # the prediction fails, with `message`
    "canceled",
    "aborted",
    "stuck",  # the prediction is processing for ever
    "ignored",  # a change is answered with 200 and not made
    "webhook_lost",
    "webhook_twice",
    # only where a change is asked for
    "reply_lost",  # done, and the connection closed without a byte
    "repeated",  # done twice, answered once
    "late",  # the connection is closed at once, and it is done after all
]
KINDS: frozenset[Kind] = frozenset(get_args(Kind))
MEDIA: frozenset[Kind] = frozenset({"truncated_media", "missing_media", "wrong_media"})
EARLY: frozenset[Kind] = frozenset({"status", "close", "reset", "empty", "not_json", "slow_first_byte"})
BODY: frozenset[Kind] = frozenset({"cut", "clean_cut", "stall", "malformed_chunk", "no_end_marker"})
TRANSPORT: frozenset[Kind] = EARLY | BODY | {"hang"}
DOWNLOADS = ("/stream/", "/files/")
FOREVER = float("inf")
STRETCH: dict[Kind, float] = {"slow": 3.0, "extra_slow": 10.0}


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. Seconds are simulated ones, the window counts from the simulator's start."""

    kind: Kind
    path: str = ""
    probability: float = 1.0
    times: int | None = None
    start_s: float = 0.0
    end_s: float = FOREVER
    method: str | None = None
    status: int = 503
    retry_after: float | None = None
    message: str | None = None
    body: str | None = None
    delay_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no simulator knows, where it is written and not where it would have struck."""
        if self.kind not in KINDS:
            raise ValueError(f"no such kind of fault: {self.kind!r}; there are {', '.join(sorted(KINDS))}")

    def covers(self, method: str, path: str, now_s: float) -> bool:
        """Whether the rule speaks of such a request at that time, chance and count apart."""
        if not self.start_s <= now_s < self.end_s or self.method not in {None, method}:
            return False
        return path.startswith(self.path) if self.path else not path.startswith(DOWNLOADS)

    @property
    def stretch(self) -> float:
        """By how much this fault lengthens the service."""
        return STRETCH.get(self.kind, 1.0)


class Faults:
    """The book of rules of one simulator; `add` and `clear` may be called at any time, from any thread."""

    def __init__(self, rules: Iterable[Fault] = (), *, seed: int = 0) -> None:
        """Start with these rules; `seed` fixes the chances."""
        self._chance = random.Random(seed)
        self._rules: list[Fault] = list(rules)
        self._struck: dict[int, int] = {}

    def __len__(self) -> int:
        """How many rules stand, spent ones included."""
        return len(self._rules)

    def add(self, kind: Kind | Fault, path: str = "", **options: Any) -> Fault:
        """Write a rule down: `add("reset", "/llm", times=1)`; it is tried after those that stand already."""
        fault = kind if isinstance(kind, Fault) else Fault(kind, path, **options)
        self._rules = [*self._rules, fault]
        return fault

    def remove(self, fault: Fault) -> None:
        """Strike one rule out."""
        self._rules = [rule for rule in self._rules if rule is not fault]
        self._struck.pop(id(fault), None)

    def clear(self) -> None:
        """Strike every rule out."""
        self._rules = []
        self._struck = {}

    def struck(self, fault: Fault) -> int:
        """How often this rule has hit."""
        return self._struck.get(id(fault), 0)

    def pick(self, method: str, path: str, now_s: float, kinds: Collection[Kind] = KINDS) -> Fault | None:
        """The fault of this request, if it has one. Rules of other kinds than `kinds` are neither rolled nor spent."""
        for rule in self._rules:
            if rule.kind in kinds and rule.covers(method, path, now_s) and self._strikes(rule):
                self._struck[id(rule)] = self.struck(rule) + 1
                return rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Every rule as JSON, with how often it struck."""
        return [_without_defaults(rule) | {"struck": self.struck(rule)} for rule in self._rules]

    def _strikes(self, rule: Fault) -> bool:
        if rule.times is not None and self.struck(rule) >= rule.times:
            return False
        return rule.probability >= 1.0 or self._chance.random() < rule.probability


def fault_from(data: dict[str, Any]) -> Fault:
    """A rule out of JSON; ValueError names what isn't understood."""
    unknown = data.keys() - {field.name for field in fields(Fault)} - {"struck"}
    if unknown or "kind" not in data:
        raise ValueError(f"a fault has a kind, and no {', '.join(sorted(unknown)) or 'other shape'}")
    return Fault(**{name: value for name, value in data.items() if name != "struck"})


def _without_defaults(rule: Fault) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(Fault)}
    return {name: value for name, value in asdict(rule).items() if value != defaults[name]}
