"""How Replicate writes its problems, and how it reads the headers that steer a prediction."""

import re
from typing import Any

LONGEST_WAIT_S = 60
LEAST_CANCEL_S = 5.0
TITLES = {
    401: ("Unauthenticated", "You did not pass a valid authentication token"),
    402: ("Insufficient credit", "You have insufficient credit to run this model."),
    404: ("Not found", "The requested resource could not be found."),
    422: ("Unprocessable Entity", "The request could not be processed."),
    429: ("Too many requests", "Request was throttled. Expected available in 1 second."),
    500: ("Internal server error", "Internal server error"),
}
UNKNOWN_VERSION = {
    "title": "Invalid version or not permitted",
    "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
    "status": 422,
}
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_WAIT = re.compile(r"\bwait(?:=(\d+))?")


def problem(status: int, message: str | None = None, **extra: Any) -> dict[str, Any]:
    """Problem details, RFC 7807."""
    title, detail = TITLES.get(status, ("Service unavailable", "The service is unavailable."))
    return {"title": title, "detail": message or detail, "status": status, **extra}


def wait_s(prefer: str | None) -> int | None:
    """How long `Prefer: wait=N` wants to wait, within 1 and 60 s; None where it doesn't."""
    asked = _WAIT.search(prefer or "")
    return None if asked is None else min(LONGEST_WAIT_S, max(1, int(asked[1] or LONGEST_WAIT_S)))


def span_s(text: str | None) -> float | None:
    """Seconds of `Cancel-After: 1m30s`; a bare number is seconds, nonsense is 0."""
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return 0.0
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
