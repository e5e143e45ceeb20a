"""Who asks: one value for each caller, made at the edge before a request's body is read."""

from dataclasses import dataclass, field

EVERYTHING = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key may use over all instances; None is no limit.

    `rate` is in requests a second, `burst` how many may come at once after a rest. `usd_per_day` is what hosted
    inference may cost a UTC day.
    """

    rate: float | None = None
    burst: int = 1
    usd_per_day: float | None = None


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Caller:
    """A key's holder, or somebody without one.

    `id` never changes: what belongs to a caller (jobs, idempotency keys, a turn in a queue) goes by it. For a key it is
    the key's id, which survives a rotation; without keys it is `client:` and the address that the request came from.
    `keyed` is whether it is a key's. `secret` signs the caller's webhooks (`whsec_...`, Standard Webhooks).
    `priority`: 0 is the usual one, and the last of a day's money is kept from lower ones. `origins` are the web pages
    that may use the key.
    """

    id: str
    name: str = ""
    scopes: frozenset[str] = frozenset()
    keyed: bool = False
    priority: int = 0
    secret: str | None = field(default=None, repr=False)
    origins: frozenset[str] = frozenset()
    limits: Limits = UNLIMITED


def anonymous(address: str) -> Caller:
    """Somebody at this address of whom no key is asked, so that everything is allowed."""
    return Caller(f"client:{address}", scopes=EVERYTHING)


def stranger(address: str) -> Caller:
    """Somebody at this address who has shown no key where others need one."""
    return Caller(f"client:{address}")


NOBODY = anonymous("")
"""Whoever asks from inside: benchmarks, tests and the command line."""
