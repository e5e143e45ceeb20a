"""Names of burst machines: they say whose a machine is and since when, where the cloud keeps no tags.

`spillway-burst-DEPLOYMENT-FLEET-20261125t023000z-RANDOM`: at most 63 characters of a-z, 0-9 and "-", as Compute Engine
demands. The time is that of the create call, so it is never later than the machine's first paid second.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

PREFIX = "spillway-burst-"
DEPLOYMENT = r"[a-z](?:[a-z0-9-]{0,13}[a-z0-9])?"
_NAME = re.compile(
    rf"{PREFIX}(?P<deployment>{DEPLOYMENT})-(?P<fleet>[0-9a-f]{{6}})-(?P<utc>\d{{8}}t\d{{6}}z)-(?P<random>[0-9a-f]{{6}})"
)
_UTC = "%Y%m%dt%H%M%Sz"


@dataclass(frozen=True, slots=True)
class MachineName:
    """What a name says; `asked_at` is the epoch second of the create call."""

    deployment: str
    fleet: str
    asked_at: float


def fleet_of(pipeline: str, model: str) -> str:
    """The six characters that stand for a route in its machines' names."""
    return hashlib.sha256(f"{pipeline}\n{model}".encode()).hexdigest()[:6]


def machine_name(deployment: str, fleet: str, now: float, random: Random) -> str:
    """A new name; ValueError where `deployment` can't be part of one."""
    stamp = datetime.fromtimestamp(int(now), UTC).strftime(_UTC)
    name = f"{PREFIX}{deployment}-{fleet}-{stamp}-{random.getrandbits(24):06x}"
    if read_name(name) is None:
        raise ValueError(f"{deployment!r} is no deployment's name: up to 15 of a-z, 0-9 and -, a letter first")
    return name


def is_of(deployment: str, name: str) -> bool:
    """Whether a machine is this deployment's, by its name."""
    named = read_name(name)
    return named is not None and named.deployment == deployment


def read_name(name: str) -> MachineName | None:
    """What a name says, None where it is not one of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        asked_at = datetime.strptime(found["utc"], _UTC).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return MachineName(found["deployment"], found["fleet"], asked_at)
