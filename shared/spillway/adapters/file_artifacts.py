"""Results kept as files in a directory, named by the SHA-256 of their content."""

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

from spillway.ports import Artifact

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


def _digest(content: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := content.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


class FileArtifacts:
    """Adapter of ports.Artifacts over a directory, made on first use; a file appears whole or not at all."""

    def __init__(self, directory: Path):
        self._directory = directory

    async def put(self, content: BinaryIO, content_type: str) -> Artifact:
        """Keep a result. Raises ValueError for a content type that is never served."""
        return await asyncio.to_thread(self._put, content, _SUFFIXES[content_type])

    def _put(self, content: BinaryIO, suffix: str) -> Artifact:
        content.seek(0)
        digest = _digest(content)
        path = self._path(digest, suffix)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            content.seek(0)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as written:
                shutil.copyfileobj(content, written, PIECE)
            Path(written.name).replace(path)
        os.utime(path)
        return self._artifact(digest, suffix, path.stat().st_size)

    async def find(self, key: str) -> Artifact | None:
        """None for a key that is not kept, and for anything that is no key at all."""
        match = _KEY.fullmatch(key)
        if not match or match[2] not in _TYPES:
            return None
        try:
            size = self._path(match[1], match[2]).stat().st_size
        except OSError:
            return None
        return self._artifact(match[1], match[2], size)

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces of 64 KiB."""
        digest, suffix = artifact.key.split(".")
        left = (artifact.size if end is None else end) - start
        with await asyncio.to_thread(self._path(digest, suffix).open, "rb") as file:
            file.seek(start)
            while left > 0 and (piece := await asyncio.to_thread(file.read, min(PIECE, left))):
                left -= len(piece)
                yield piece

    def _path(self, digest: str, suffix: str) -> Path:
        return self._directory / digest[:2] / f"{digest}.{suffix}"

    @staticmethod
    def _artifact(digest: str, suffix: str, size: int) -> Artifact:
        return Artifact(f"{digest}.{suffix}", _TYPES[suffix], size, digest)
