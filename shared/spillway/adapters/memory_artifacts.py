"""Results kept in memory: the twin of the directory and the bucket, for unit tests."""

import hashlib
from collections.abc import AsyncGenerator
from typing import BinaryIO

from spillway.ports import Artifact


class MemoryArtifacts:
    """Adapter of ports.Artifacts over a dict."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Artifact, bytes]] = {}

    async def put(self, content: BinaryIO, content_type: str) -> Artifact:
        """Keep a result."""
        content.seek(0)
        data = content.read()
        digest = hashlib.sha256(data).hexdigest()
        artifact = Artifact(f"{digest}.{content_type.split('/')[1]}", content_type, len(data), digest)
        self._kept[artifact.key] = (artifact, data)
        return artifact

    async def find(self, key: str) -> Artifact | None:
        """None where nothing is kept under this key."""
        return self._kept[key][0] if key in self._kept else None

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes at once."""
        yield self._kept[artifact.key][1][start : artifact.size if end is None else end]
