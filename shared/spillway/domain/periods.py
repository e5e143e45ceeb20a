"""Stretches of time as people name them: by days, or by moments after RFC 3339. All in UTC."""

import re
from datetime import UTC, datetime, timedelta

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def begin_of(text: str) -> int:
    """Epoch seconds at which a day begins, or of a moment. Raises ValueError."""
    return int(_read(text).timestamp())


def end_of(text: str) -> int:
    """Epoch seconds at which a day has ended, or of a moment. Raises ValueError."""
    day = timedelta(days=1) if _DAY.fullmatch(text) else timedelta()
    try:
        return int((_read(text) + day).timestamp())
    except OverflowError as error:
        raise ValueError(f"{text} is after the end of time") from error


def _read(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is neither a day (2026-11-26) nor a moment (2026-11-26T12:00:00Z)") from error
    if moment.tzinfo is None:
        if not _DAY.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is a moment without a time zone: add Z for UTC")
        return moment.replace(tzinfo=UTC)
    return moment
