"""What every store of artifacts holds to."""

import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spillway.adapters.bucket_artifacts import BucketArtifacts
from spillway.adapters.file_artifacts import FileArtifacts
from spillway.adapters.memory_artifacts import MemoryArtifacts
from spillway.ports import Artifact, Artifacts

PICTURE = b"\x89PNG" + bytes(range(256)) * 600


@pytest.fixture(params=["file", "bucket", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Artifacts]:
    made: Artifacts
    if request.param == "file":
        made = FileArtifacts(tmp_path / "kept")
    elif request.param == "bucket":
        made = BucketArtifacts(request.getfixturevalue("storage").bucket.name, timeout_s=20)
    else:
        made = MemoryArtifacts()
    yield made
    await made.close()


async def read(store: Artifacts, artifact: Artifact, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.read(artifact, start, end)])


async def test_kept_result_is_found_again(store: Artifacts) -> None:
    kept = await store.put(io.BytesIO(PICTURE), "image/png")
    assert await store.find(kept.key) == kept
    assert (kept.content_type, kept.size) == ("image/png", len(PICTURE))
    assert await read(store, kept) == PICTURE


async def test_type_that_is_never_served_is_refused(store: Artifacts) -> None:
    with pytest.raises(KeyError):
        await store.put(io.BytesIO(PICTURE), "text/html")


async def test_what_nobody_kept_again_is_swept(store: Artifacts) -> None:
    picture = await store.put(io.BytesIO(PICTURE), "image/png")
    video = await store.put(io.BytesIO(PICTURE), "video/mp4")
    assert await store.sweep(time.time() - 3600) == 0
    assert await store.find(picture.key) == picture
    assert await store.sweep(time.time() + 3600) == 2
    assert await store.find(picture.key) is None
    assert await store.find(video.key) is None
    assert await store.put(io.BytesIO(PICTURE), "image/png") == picture


async def test_same_content_has_the_same_key(store: Artifacts) -> None:
    first = await store.put(io.BytesIO(PICTURE), "image/png")
    assert await store.put(io.BytesIO(PICTURE), "image/png") == first


async def test_content_is_read_from_its_first_byte(store: Artifacts) -> None:
    content = io.BytesIO(PICTURE)
    content.seek(100)
    assert await read(store, await store.put(content, "image/png")) == PICTURE


@pytest.mark.parametrize(("start", "end"), [(0, 10), (5, None), (70_000, 140_000), (len(PICTURE) - 1, None), (3, 3)])
async def test_any_place_can_be_read(store: Artifacts, start: int, end: int | None) -> None:
    kept = await store.put(io.BytesIO(PICTURE), "image/png")
    assert await read(store, kept, start, end) == PICTURE[start:end]


@pytest.mark.parametrize(
    "key", ["", "x", "0" * 64, "0" * 64 + ".png", "../../etc/passwd", "..%2f..", "a" * 64 + ".exe", "\x00.png"]
)
async def test_unknown_key_is_nothing(store: Artifacts, key: str) -> None:
    assert await store.find(key) is None
