"""Files that appear whole or not at all, outlive a loss of power, and are removed when nobody has touched them."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from spillway.errors import StoreUnavailable

T = TypeVar("T")

PIECE = 64 * 1024


async def aside(job: Callable[[], T]) -> T:
    """Do this in a thread, as a disk may be slow. Raises StoreUnavailable for what the file system raises."""
    with translated():
        return await asyncio.to_thread(job)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the file system raises into StoreUnavailable."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise StoreUnavailable(f"the directory of files can't be used ({reason})") from error


def write_whole(path: Path, content: BinaryIO) -> None:
    """Write what the reader holds from its first byte; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content.seek(0)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as part:
        try:
            shutil.copyfileobj(content, part, PIECE)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    _sync_names(path.parent)


def touch(path: Path) -> bool:
    """Say that the file is still needed; False where there is none."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def old(directory: Path, before: float, limit: int) -> list[Path]:
    """Whole files in a directory, at any depth, that nobody has touched since.

    Parts of files whose writer died long ago are removed.
    """
    found: list[Path] = []
    for path in _files(directory):
        if path.name.startswith("."):
            _removed(path, before)
        elif len(found) < limit and _older(path, before):
            found.append(path)
    return found


def sweep(directory: Path, before: float) -> int:
    """Remove the files in a directory, at any depth, that nobody has touched since; how many they were.

    Among them are parts of files whose writer died.
    """
    return sum(_removed(path, before) for path in _files(directory))


def _files(directory: Path) -> Iterator[Path]:
    return (Path(folder) / name for folder, _, names in os.walk(directory) for name in names)


def _older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False


def _removed(path: Path, before: float) -> bool:
    """A file that is touched in this very moment is put back: it is looked at again where nobody else finds it."""
    with suppress(FileNotFoundError):
        if path.stat().st_mtime >= before:
            return False
        aside = path.with_name(f".{path.name}.old")
        path.replace(aside)
        if aside.stat().st_mtime >= before:
            aside.replace(path)
            return False
        aside.unlink()
        return True
    return False


def _sync_names(directory: Path) -> None:
    """A new name is lost with the power until its directory is on the disk too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
