"""The Prefer header (RFC 7240): `respond-async`, and `wait=SECONDS`."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

LONGEST_WAIT_S = 60
"""Proxies and browsers cut silent connections that are not much older."""
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)\s*(?:=\s*("[^"]*"|[^",;\s]*)\s*)?(?:;[^,]*)?(?:,|$)')


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a request would like; `wait_s` is bounded."""

    respond_async: bool = False
    wait_s: int | None = None


NONE = Preferences()


def read_preferences(headers: Headers) -> Preferences:
    """What can't be understood is left out, as the standard says; of several with one name the first counts."""
    given = headers.getlist("prefer")
    if not given:
        return NONE
    found: dict[str, str] = {}
    for match in _PREFERENCE.finditer(", ".join(given)):
        found.setdefault(match[1].lower(), (match[2] or "").strip('"'))
    wait = found.get("wait", "")
    wait_s = min(int(wait[:9]), LONGEST_WAIT_S) if re.fullmatch(r"[0-9]+", wait) else None
    return Preferences("respond-async" in found, wait_s)
