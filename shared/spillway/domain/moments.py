"""Moments as they are told and read, after RFC 3339, in UTC."""

from datetime import UTC, datetime


def rfc3339(at: float, *, milliseconds: bool = False) -> str:
    """Epoch seconds as 2026-11-26T12:00:00Z; what is less than its last digit is left out."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return moment.replace("+00:00", "Z")


def epoch_seconds(text: str) -> int:
    """The moment that was written so. Raises ValueError."""
    return int(datetime.fromisoformat(text).timestamp())
