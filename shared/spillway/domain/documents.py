"""The form in which small documents are stored: a safe name for any key, and one text for key and body.

One text instead of a tree of fields holds every JSON value, lists of lists among them, and is one entry in an
index instead of one for each number.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

LONGEST_TEXT = 900_000
LONGEST_NAME = 400


def name_of(key: str) -> str:
    """A name of letters, digits, `-`, `~` and `%` alone, at most 400 of them, for a key of any characters."""
    name = quote(key, safe="", errors="surrogatepass").replace(".", "%2E").replace("_", "%5F") or "%"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:300]}%%{hashlib.sha256(name.encode()).hexdigest()}"


def packed(key: str, body: Mapping[str, Any]) -> str:
    """The stored text. Raises ValueError for what is no JSON or too large for any store."""
    try:
        text = json.dumps([key, body], separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(f"the document {key!r} holds what JSON can't ({error})") from error
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the document {key!r} has {len(text)} bytes, more than {LONGEST_TEXT}")
    return text


def unpacked(text: Any) -> tuple[str, dict[str, Any]] | None:
    """The key and body of a stored text; None for one that nobody here has written."""
    try:
        key, body = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return (key, body) if isinstance(key, str) and isinstance(body, dict) else None
