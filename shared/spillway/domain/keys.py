"""Keys of dApps: what they look like, what is kept of them, and what becomes of them.

A key is `sw_ID_SECRET`: the id (12 characters) is public and never changes; the secret is 256 random bits and a
checksum over the whole (49 characters of base 62), by which scanners and typing errors are told without a look at the
store. What is kept is its SHA-256 (docs/decisions/0005-hashes-of-keys.md says why no slower hash).
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any

from spillway.domain.callers import UNLIMITED, Caller, Limits
from spillway.domain.pipelines import PIPELINES

VERSION = 1
MOST_SECRETS = 4
MOST_EVENTS = 50
FAMILIES = ("livepeer", "openai")
SCOPES = ("inference", *(f"inference:{name}" for name in (*FAMILIES, *PIPELINES)), "jobs", "read", "admin")
USUAL_SCOPES = ("inference", "jobs")

_TOKEN = re.compile(r"(sw_([0-9a-z]{12})_[0-9A-Za-z]{43})([0-9A-Za-z]{6})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_id(chance: bytes) -> str:
    """An id out of 8 random bytes."""
    return _digits(int.from_bytes(chance) % 36**12, 36, 12).lower()


def new_token(key_id: str, chance: bytes) -> str:
    """A key out of 32 random bytes, as its holder gets it, once."""
    body = f"sw_{key_id}_{_digits(int.from_bytes(chance), 62, 43)}"
    return body + _checksum(body)


def new_webhook_secret(chance: bytes) -> str:
    """A secret of Standard Webhooks."""
    return "whsec_" + base64.b64encode(chance).decode()


def id_in(token: str) -> str | None:
    """The id of what has a key's form and checksum; None for anything else."""
    match = _TOKEN.fullmatch(token)
    return match[2] if match and _checksum(match[1]) == match[3] else None


def hashed(token: str) -> str:
    """What is kept of a key: SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(text: str) -> str:
    return _digits(zlib.crc32(text.encode()), 62, 6)


def _digits(number: int, base: int, places: int) -> str:
    found = ""
    for _ in range(places):
        number, digit = divmod(number, base)
        found = _DIGITS[digit] + found
    return found


@dataclass(frozen=True, slots=True)
class Secret:
    """The hash of one secret of a key, and the epoch second that it works until; None while it is the newest."""

    sha256: str
    until: float | None = None

    def works(self, now: float) -> bool:
        """Whether it is the newest, or within its grace."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the audit log: what somebody did with a key."""

    at: float
    what: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is kept. Times are epoch seconds; `used_on` is the last UTC day on which it was used."""

    id: str
    name: str = ""
    scopes: tuple[str, ...] = USUAL_SCOPES
    priority: int = 0
    limits: Limits = UNLIMITED
    origins: tuple[str, ...] = ()
    webhook_secret: str = ""
    secrets: tuple[Secret, ...] = ()
    created_at: float = 0.0
    revoked_at: float | None = None
    first_used_at: float | None = None
    used_on: str = ""
    events: tuple[Event, ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Key":
        """Raises ValueError for a key of a later release."""
        if body.get("version") != VERSION:
            raise ValueError(f"the key has version {body.get('version')}, this release knows {VERSION}")
        kept = {name: value for name, value in body.items() if name != "version"}
        return cls(
            **{
                **kept,
                "scopes": tuple(kept["scopes"]),
                "limits": Limits(**kept["limits"]),
                "origins": tuple(kept["origins"]),
                "secrets": tuple(Secret(**secret) for secret in kept["secrets"]),
                "events": tuple(Event(**event) for event in kept["events"]),
            }
        )

    def body(self) -> dict[str, Any]:
        """As `read` takes it."""
        return {"version": VERSION, **asdict(self)}

    def opens(self, digest: str, now: float) -> bool:
        """Whether a token of this hash is this key. Every secret is compared, each in constant time."""
        found = False
        for secret in self.secrets:
            found |= compare_digest(secret.sha256, digest) and secret.works(now)
        return found and self.revoked_at is None

    def caller(self) -> Caller:
        """Whoever holds it."""
        return Caller(
            self.id,
            name=self.name,
            scopes=frozenset(self.scopes),
            keyed=True,
            priority=self.priority,
            secret=self.webhook_secret or None,
            origins=frozenset(self.origins),
            limits=self.limits,
        )

    def rotated(self, sha256: str, now: float, grace_s: float, by: str) -> "Key":
        """With a new secret; the one before works for `grace_s` more, older ones for as long as they had.

        Of more than `MOST_SECRETS` the oldest ends at once.
        """
        older = [replace(one, until=now + grace_s if one.until is None else one.until) for one in self.secrets]
        working = [one for one in older if one.works(now)][1 - MOST_SECRETS :]
        changed = replace(self, secrets=(*working, Secret(sha256)))
        return changed.told(now, f"rotated, the old secret works for {grace_s:g} s more", by)

    def signing(self, webhook_secret: str, now: float, by: str) -> "Key":
        """With a new secret for webhooks, which sign with it from now on."""
        return replace(self, webhook_secret=webhook_secret).told(now, "webhook secret replaced", by)

    def revoked(self, now: float, by: str) -> "Key":
        """Working no more."""
        return self if self.revoked_at is not None else replace(self, revoked_at=now).told(now, "revoked", by)

    def used(self, now: float) -> "Key":
        """Used today; the first use is an event."""
        today = replace(self, used_on=date_of(now))
        if self.first_used_at is not None:
            return today
        return replace(today, first_used_at=now).told(now, "first used", "its holder")

    def told(self, now: float, what: str, by: str) -> "Key":
        """With one more event; only the latest are kept."""
        return replace(self, events=(*self.events, Event(now, what, by))[-MOST_EVENTS:])


def date_of(now: float) -> str:
    """2026-11-30: the UTC day of an epoch second."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()
