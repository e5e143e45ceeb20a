"""Inputs and results of jobs in this process's memory: the twin of the directory and the bucket, for unit tests."""

import io
import time
from typing import BinaryIO

from spillway.domain.file_names import checked
from spillway.ports import Clock


class MemoryFiles:
    """Adapter of ports.jobs.Files over a dict."""

    def __init__(self, *, epoch: Clock = time.time) -> None:
        self._epoch = epoch
        self._kept: dict[str, tuple[float, bytes]] = {}

    async def write(self, name: str, content: BinaryIO) -> None:
        """Keep what the reader holds from its first byte."""
        content.seek(0)
        self._kept[checked(name)] = (self._epoch(), content.read())

    async def read(self, name: str) -> BinaryIO | None:
        """All of it; None where there is none."""
        kept = self._kept.get(checked(name))
        return io.BytesIO(kept[1]) if kept else None

    async def remove(self, name: str) -> None:
        """Forget it, where there is one."""
        self._kept.pop(checked(name), None)

    async def old(self, folder: str, before: float, limit: int = 1000) -> list[str]:
        """Names of files of a folder that were written before then."""
        root = f"{checked(folder)}/"
        return [name for name, (at, _) in self._kept.items() if name.startswith(root) and at < before][:limit]

    async def close(self) -> None:
        """Nothing is open."""
