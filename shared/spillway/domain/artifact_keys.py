"""How kept results are named: the SHA-256 of their content and a suffix that says what they are."""

import hashlib
import re
from typing import BinaryIO

PIECE = 64 * 1024
_SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "audio/mp4": "m4a",
    "audio/webm": "weba",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "oga",
}
_TYPES = {suffix: content_type for content_type, suffix in _SUFFIXES.items()}
_KEY = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{2,4})")


def key_of(content: BinaryIO, content_type: str) -> str:
    """The key of what the reader holds from its first byte. Raises KeyError for a type that is never served."""
    suffix = _SUFFIXES[content_type]
    content.seek(0)
    digest = hashlib.sha256()
    while piece := content.read(PIECE):
        digest.update(piece)
    content.seek(0)
    return f"{digest.hexdigest()}.{suffix}"


def type_of(key: str) -> str | None:
    """The content type of a key; None for anything that is no key of ours."""
    match = _KEY.fullmatch(key)
    return _TYPES.get(match[2]) if match else None


def digest_of(key: str) -> str:
    """The SHA-256 in a key, in hexadecimal."""
    return key.partition(".")[0]
