"""Results kept as files in a directory, named by the SHA-256 of their content."""

from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from spillway.adapters.whole_files import PIECE, aside, sweep, touch, write_whole
from spillway.domain.artifact_keys import digest_of, key_of, type_of
from spillway.ports import Artifact

FOLDERS = "[0-9a-f][0-9a-f]"
"""By the first two digits of the key; the directory may hold other things beside them."""


class FileArtifacts:
    """Adapter of ports.Artifacts over a directory, made on first use; a file appears whole or not at all."""

    def __init__(self, directory: Path):
        self._directory = directory

    async def put(self, content: BinaryIO, content_type: str) -> Artifact:
        """Keep a result. Raises KeyError for a content type that is never served."""
        return await aside(lambda: self._put(content, content_type))

    def _put(self, content: BinaryIO, content_type: str) -> Artifact:
        key = key_of(content, content_type)
        path = self._path(key)
        if not touch(path):
            write_whole(path, content)
        return Artifact(key, content_type, content.seek(0, 2), digest_of(key))

    async def find(self, key: str) -> Artifact | None:
        """None for a key that is not kept, and for anything that is no key at all."""
        content_type = type_of(key)
        if content_type is None:
            return None
        try:
            size = self._path(key).stat().st_size
        except OSError:
            return None
        return Artifact(key, content_type, size, digest_of(key))

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces of 64 KiB."""
        left = (artifact.size if end is None else end) - start
        with await aside(lambda: self._path(artifact.key).open("rb")) as file:
            file.seek(start)
            while left > 0 and (piece := await aside(partial(file.read, min(PIECE, left)))):
                left -= len(piece)
                yield piece

    async def sweep(self, before: float) -> int:
        """Remove what was kept last before then."""
        return await aside(lambda: sum(sweep(folder, before) for folder in self._directory.glob(FOLDERS)))

    async def close(self) -> None:
        """Nothing is open."""

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key
