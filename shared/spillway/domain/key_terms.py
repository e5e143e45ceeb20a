"""The terms of a key, as operators write them: its name, scopes, pages, limits and priority."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from spillway.domain.callers import Limits
from spillway.domain.keys import SCOPES, USUAL_SCOPES, Key
from spillway.errors import BadSettings

PRIORITIES = range(-10, 11)
LONGEST_NAME = 100
REMOVABLE = ("rate", "usd-per-day", "origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Terms that are to be other ones: what is None or empty stays, what `without` names is taken away."""

    name: str | None = None
    scopes: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    priority: int | None = None
    rate: float | None = None
    burst: int | None = None
    usd_per_day: float | None = None
    without: frozenset[str] = frozenset()

    def made(self, key: Key) -> Key:
        """The key with these terms. Raises BadSettings."""
        return replace(
            key,
            name=key.name if self.name is None else self.name,
            scopes=self.scopes or key.scopes,
            origins=() if "origin" in self.without else self.origins or key.origins,
            priority=key.priority if self.priority is None else self.priority,
            limits=self._limits(key.limits),
        )

    def _limits(self, now: Limits) -> Limits:
        """A burst belongs to its rate: a new rate has a burst of its own."""
        rate, burst = self.rate, self.burst
        if rate is None and "rate" not in self.without:
            rate, burst = now.rate, burst or (now.burst if now.rate else None)
        usd = now.usd_per_day if self.usd_per_day is None else self.usd_per_day
        return checked_limits(rate, burst, None if "usd-per-day" in self.without else usd)


def differences(before: Key, after: Key) -> str:
    """For the audit log: which terms are other ones, as they were and as they are."""
    pairs = zip(_terms(before).items(), _terms(after).values(), strict=True)
    return ", ".join(f"{name} {old} -> {new}" for (name, old), new in pairs if old != new)


def _terms(key: Key) -> dict[str, str]:
    limits = key.limits
    return {
        "name": key.name or "none",
        "scopes": " ".join(key.scopes),
        "origins": " ".join(key.origins) or "none",
        "priority": str(key.priority),
        "rate": f"{limits.rate:g}/s, {limits.burst} at once" if limits.rate else "none",
        "usd_per_day": "none" if limits.usd_per_day is None else f"{limits.usd_per_day:g}",
    }


def checked_without(given: Iterable[str]) -> frozenset[str]:
    """What is to be taken away. Raises BadSettings."""
    for word in given:
        if word not in REMOVABLE:
            raise BadSettings(f"--without {word}: use {', '.join(REMOVABLE)}")
    return frozenset(given)


def checked_scopes(given: Iterable[str]) -> tuple[str, ...]:
    """Scopes as an operator wrote them, each once; the usual ones for none. Raises BadSettings."""
    words = [word for text in given for word in re.split(r"[\s,]+", text) if word]
    for word in words:
        if word not in SCOPES:
            raise BadSettings(f"--scope {word}: use {', '.join(SCOPES)}")
    return tuple(dict.fromkeys(words)) or USUAL_SCOPES


def checked_origins(given: Iterable[str]) -> tuple[str, ...]:
    """Origins as browsers send them. Raises BadSettings."""
    return tuple(dict.fromkeys(_origin(text) for text in given))


def _origin(text: str) -> str:
    parts = urlsplit(text.strip().lower().rstrip("/"))
    plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc or "*" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise BadSettings(f"--origin {text}: must be the origin of a web page, for example https://app.example")
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def checked_limits(rate: float | None, burst: int | None, usd_per_day: float | None) -> Limits:
    """Limits as an operator wrote them; a burst is a second's worth where none is given. Raises BadSettings."""
    if rate is not None and not 0.001 <= rate <= 10_000:
        raise BadSettings(f"--rate {rate:g}: must be between 0.001 and 10000 requests a second")
    if burst is not None and (rate is None or not 1 <= burst <= 100_000):
        raise BadSettings(f"--burst {burst}: must be between 1 and 100000, beside --rate")
    if usd_per_day is not None and not 0 <= usd_per_day <= 1e9:
        raise BadSettings(f"--usd-per-day {usd_per_day:g}: must be 0 or more")
    return Limits(rate, burst or max(1, round(rate or 1)), usd_per_day)


def checked_priority(priority: int) -> int:
    """Raises BadSettings."""
    if priority not in PRIORITIES:
        raise BadSettings(f"--priority {priority}: must be between {PRIORITIES[0]} and {PRIORITIES[-1]}")
    return priority


def checked_name(name: str) -> str:
    """A name for people. Raises BadSettings."""
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise BadSettings(f"--name: must be printable, {LONGEST_NAME} characters at most")
    return name.strip()
