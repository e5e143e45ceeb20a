"""Inputs and results of jobs as files in a directory of this machine."""

from pathlib import Path
from typing import BinaryIO

from spillway.adapters.whole_files import aside, old, write_whole
from spillway.domain.file_names import checked


class DirectoryFiles:
    """Adapter of ports.jobs.Files over a directory, made on first use."""

    def __init__(self, directory: Path):
        self._directory = directory

    async def write(self, name: str, content: BinaryIO) -> None:
        """Keep what the reader holds from its first byte; durable when it returns."""
        path = self._path(name)
        await aside(lambda: write_whole(path, content))

    async def read(self, name: str) -> BinaryIO | None:
        """All of it; None where there is none."""
        path = self._path(name)
        return await aside(lambda: _opened(path))

    async def remove(self, name: str) -> None:
        """Forget it, where there is one."""
        path = self._path(name)
        await aside(lambda: path.unlink(missing_ok=True))

    async def old(self, folder: str, before: float, limit: int = 1000) -> list[str]:
        """Names of files of a folder that were written before then; parts that dead writers left are removed."""
        path = self._path(folder)
        paths = await aside(lambda: old(path, before, limit))
        return [found.relative_to(self._directory).as_posix() for found in paths]

    async def close(self) -> None:
        """Nothing is open."""

    def _path(self, name: str) -> Path:
        return self._directory / checked(name)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None
