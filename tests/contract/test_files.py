"""What every store of jobs' inputs and results holds to."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spillway.adapters.bucket_files import BucketFiles
from spillway.adapters.directory_files import DirectoryFiles
from spillway.adapters.memory_files import MemoryFiles
from spillway.ports.jobs import Files

NAME = "inputs/0b9a3c1e-7f"
BODY = b"--x\r\n\x00\xff" + bytes(range(256)) * 1000

BAD_NAMES = [
    "", "/", "..", "a/../b", "../a", "/etc/passwd", "a//b", "a/", ".a", "a/.b", "a b", "a\x00", "ü", "a\\b", "a" * 201,
]  # fmt: skip


@pytest.fixture(params=["directory", "bucket", "memory"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Files]:
    made: Files
    if request.param == "directory":
        made = DirectoryFiles(tmp_path / "deep" / "kept")
    elif request.param == "bucket":
        made = BucketFiles(request.getfixturevalue("storage").bucket.name, timeout_s=20)
    else:
        made = MemoryFiles()
    yield made
    await made.close()


async def read(files: Files, name: str) -> bytes | None:
    content = await files.read(name)
    if content is None:
        return None
    with content:
        return content.read()


@pytest.mark.parametrize("body", [BODY, b"", b"x"])
async def test_written_file_is_read_as_it_was(files: Files, body: bytes) -> None:
    await files.write(NAME, io.BytesIO(body))
    assert await read(files, NAME) == body
    assert await read(files, NAME) == body


async def test_unknown_file_is_none(files: Files) -> None:
    assert await files.read(NAME) is None
    await files.remove(NAME)
    assert await files.old("inputs", time.time()) == []


async def test_content_is_read_from_its_first_byte(files: Files) -> None:
    content = io.BytesIO(BODY)
    content.seek(100)
    await files.write(NAME, content)
    assert await read(files, NAME) == BODY


async def test_later_content_takes_the_place_of_the_former(files: Files) -> None:
    await files.write(NAME, io.BytesIO(BODY))
    await files.write(NAME, io.BytesIO(b"short"))
    assert await read(files, NAME) == b"short"


async def test_removed_file_is_gone(files: Files) -> None:
    await files.write(NAME, io.BytesIO(BODY))
    await files.write("results/1", io.BytesIO(b"{}"))
    await files.remove(NAME)
    await files.remove(NAME)
    assert await files.read(NAME) is None
    assert await read(files, "results/1") == b"{}"


async def test_reader_is_not_disturbed_by_a_writer(files: Files) -> None:
    await files.write(NAME, io.BytesIO(BODY))
    content = await files.read(NAME)
    assert content is not None
    await files.write(NAME, io.BytesIO(b"short"))
    await files.remove(NAME)
    with content:
        assert content.read() == BODY


async def test_writers_side_by_side_leave_one_whole_file(files: Files) -> None:
    bodies = [bytes([number]) * 200_000 for number in range(8)]
    await asyncio.gather(*(files.write(NAME, io.BytesIO(body)) for body in bodies))
    assert await read(files, NAME) in bodies


async def test_old_files_of_one_folder_are_found(files: Files) -> None:
    for name in (NAME, "inputs/2", "results/1"):
        await files.write(name, io.BytesIO(BODY))
    assert await files.old("inputs", time.time() - 3600) == []
    assert sorted(await files.old("inputs", time.time() + 3600)) == [NAME, "inputs/2"]
    assert len(await files.old("inputs", time.time() + 3600, limit=1)) == 1


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_name_that_could_lead_elsewhere_is_refused(files: Files, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a file"):
        await files.write(name, io.BytesIO(BODY))
    with pytest.raises(ValueError, match="no name of a file"):
        await files.read(name)
    with pytest.raises(ValueError, match="no name of a file"):
        await files.remove(name)
