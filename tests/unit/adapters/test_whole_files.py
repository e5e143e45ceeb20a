"""Files that appear whole or not at all."""

import io
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from spillway.adapters.directory_files import DirectoryFiles
from spillway.adapters.whole_files import old, sweep, touch, write_whole
from spillway.errors import StoreUnavailable

LONG_AGO = time.time() - 1000


class Broken(io.BytesIO):
    """A reader that fails in the middle."""

    def read(self, *_: Any) -> bytes:
        if self.tell() > 0:
            raise ConnectionResetError("the sender is gone")
        self.seek(10)
        return b"0123456789"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def appears(path: Path) -> bool:
    """For an instant it may be aside."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if path.exists():
            return True
    return False


def test_half_a_file_is_never_seen(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", io.BytesIO(b"old"))
    with pytest.raises(ConnectionResetError):
        write_whole(tmp_path / "a", Broken())
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_part_that_a_dead_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    part = tmp_path / "inputs" / ".tmp12345"
    part.write_bytes(b"half")
    assert sweep(tmp_path, LONG_AGO) == 0
    os.utime(part, (LONG_AGO - 1, LONG_AGO - 1))
    assert sweep(tmp_path, LONG_AGO) == 1
    assert names(tmp_path) == []


def test_part_of_a_dead_writer_is_no_old_file(tmp_path: Path) -> None:
    for name in (".tmp12345", "a"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (LONG_AGO - 1, LONG_AGO - 1))
    assert old(tmp_path, LONG_AGO, 10) == [tmp_path / "a"]
    assert names(tmp_path) == ["a"]


def test_file_that_is_touched_is_kept(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", io.BytesIO(b"a"))
    os.utime(tmp_path / "a", (LONG_AGO - 1, LONG_AGO - 1))
    assert touch(tmp_path / "a")
    assert sweep(tmp_path, LONG_AGO) == 0
    assert not touch(tmp_path / "b")


def test_no_file_that_is_kept_anew_is_swept_away(tmp_path: Path) -> None:
    """Whoever keeps it while the sweep is at it finds it there afterwards."""
    path, ended = tmp_path / "a", threading.Event()

    def keep_sweeping() -> None:
        while not ended.is_set():
            sweep(tmp_path, LONG_AGO)

    sweeper = threading.Thread(target=keep_sweeping)
    sweeper.start()
    try:
        for _ in range(300):
            write_whole(path, io.BytesIO(b"a"))
            os.utime(path, (LONG_AGO - 1, LONG_AGO - 1))
            if not touch(path):
                write_whole(path, io.BytesIO(b"a"))
            assert appears(path)
    finally:
        ended.set()
        sweeper.join()


async def test_directory_that_can_not_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the directory should be")
    files = DirectoryFiles(tmp_path / "kept")
    with pytest.raises(StoreUnavailable, match="can't be used"):
        await files.write("inputs/1", io.BytesIO(b"x"))
