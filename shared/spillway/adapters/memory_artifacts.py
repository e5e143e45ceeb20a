"""Results kept in memory: the twin of the directory and the bucket, for unit tests."""

import time
from collections.abc import AsyncGenerator
from typing import BinaryIO

from spillway.domain.artifact_keys import digest_of, key_of
from spillway.ports import Artifact, Clock


class MemoryArtifacts:
    """Adapter of ports.Artifacts over a dict."""

    def __init__(self, *, epoch: Clock = time.time) -> None:
        self._epoch = epoch
        self._kept: dict[str, tuple[float, Artifact, bytes]] = {}

    async def put(self, content: BinaryIO, content_type: str) -> Artifact:
        """Keep a result. Raises KeyError for a content type that is never served."""
        key = key_of(content, content_type)
        data = content.read()
        artifact = Artifact(key, content_type, len(data), digest_of(key))
        self._kept[key] = (self._epoch(), artifact, data)
        return artifact

    async def find(self, key: str) -> Artifact | None:
        """None where nothing is kept under this key."""
        return self._kept[key][1] if key in self._kept else None

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes at once."""
        yield self._kept[artifact.key][2][start : artifact.size if end is None else end]

    async def sweep(self, before: float) -> int:
        """Remove what was kept last before then."""
        old = [key for key, (at, _, _) in self._kept.items() if at < before]
        for key in old:
            del self._kept[key]
        return len(old)

    async def close(self) -> None:
        """Nothing is open."""
