"""Cloud Storage, its faults and Google's client, beyond what all stores hold to."""

import asyncio
import io
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
import urllib3
from google.cloud.storage import exceptions as storage_errors

from contract.test_store import GOOGLES, subclasses
from simulator import Fault, Kind, StorageApi
from spillway.adapters import storage_bucket
from spillway.adapters.bucket_artifacts import PIECE, BucketArtifacts
from spillway.adapters.bucket_files import BucketFiles
from spillway.errors import StoreUnavailable
from support.waiting import eventually

# Google's library leaves the connection of a read that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

SMALL = b"a request as it came"
LARGE = bytes(range(256)) * 40_000
NAME = "inputs/1"


@pytest.fixture
async def files(storage: StorageApi) -> AsyncIterator[BucketFiles]:
    made = BucketFiles(storage.bucket.name, timeout_s=20)
    yield made
    await made.close()


@pytest.fixture
async def artifacts(storage: StorageApi) -> AsyncIterator[BucketArtifacts]:
    made = BucketArtifacts(storage.bucket.name, timeout_s=20)
    yield made
    await made.close()


async def read(files: BucketFiles, name: str) -> bytes | None:
    content = await files.read(name)
    if content is None:
        return None
    with content:
        return content.read()


async def test_large_file_goes_in_pieces_and_comes_back(storage: StorageApi, files: BucketFiles) -> None:
    await files.write(NAME, io.BytesIO(LARGE))
    assert [entry.method for entry in storage.requests] == ["POST", "PUT"]
    assert await read(files, NAME) == LARGE


@pytest.mark.parametrize("body", [SMALL, LARGE])
@pytest.mark.parametrize(
    "fault", [Fault("status", status=429), Fault("status", status=503), Fault("error"), Fault("reset"), Fault("cut")]
)
async def test_passing_fault_is_borne(storage: StorageApi, files: BucketFiles, body: bytes, fault: Fault) -> None:
    storage.faults.add(Fault(fault.kind, status=fault.status, times=1))
    await files.write(NAME, io.BytesIO(body))
    storage.faults.add(Fault(fault.kind, status=fault.status, times=1))
    assert await read(files, NAME) == body
    storage.faults.add(Fault(fault.kind, status=fault.status, times=1))
    await files.remove(NAME)
    assert storage.bucket.objects == {}


@pytest.mark.parametrize("kind", ["error", "cut", "close", "reset"])
async def test_lost_reply_leaves_one_whole_result(storage: StorageApi, artifacts: BucketArtifacts, kind: Kind) -> None:
    storage.faults.add(kind, times=1)
    kept = await artifacts.put(io.BytesIO(SMALL), "image/png")
    [stored] = storage.bucket.objects.values()
    assert (stored.name, stored.data) == (f"artifacts/{kept.key}", SMALL)
    assert stored.properties["contentType"] == "image/png"


async def test_result_is_as_old_as_when_it_was_kept_last(storage: StorageApi, artifacts: BucketArtifacts) -> None:
    await artifacts.put(io.BytesIO(SMALL), "image/png")
    [stored] = storage.bucket.objects.values()
    first = stored.properties["customTime"]
    await artifacts.put(io.BytesIO(SMALL), "image/png")
    [again] = storage.bucket.objects.values()
    assert again.generation == stored.generation
    assert again.properties["customTime"] > first


async def test_clock_that_is_behind_harms_no_result(storage: StorageApi, artifacts: BucketArtifacts) -> None:
    kept = await artifacts.put(io.BytesIO(SMALL), "image/png")
    [stored] = storage.bucket.objects.values()
    ahead = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    stored.properties["customTime"] = ahead
    assert await artifacts.put(io.BytesIO(SMALL), "image/png") == kept
    assert stored.properties["customTime"] == ahead


async def test_sweep_goes_through_all_pages(
    storage: StorageApi, files: BucketFiles, artifacts: BucketArtifacts
) -> None:
    for number in range(8):
        await files.write(f"inputs/{number}", io.BytesIO(SMALL))
        await artifacts.put(io.BytesIO(bytes([number])), "image/png")
    assert len(await files.old("inputs", time.time() + 60)) == 8
    assert await artifacts.sweep(time.time() + 60) == 8
    assert len(storage.bucket.objects) == 8


async def test_result_that_is_kept_anew_is_not_swept(storage: StorageApi, artifacts: BucketArtifacts) -> None:
    """The sweep removes what it has seen, not what has come of it since: the list is of an earlier instant."""
    kept = await artifacts.put(io.BytesIO(SMALL), "image/png")
    storage.faults.add("slow_first_byte", method="DELETE", delay_s=1.0, times=1)
    sweeping = asyncio.create_task(artifacts.sweep(time.time() + 60))
    await eventually(lambda: any(entry.method == "DELETE" for entry in list(storage.requests)))
    await artifacts.put(io.BytesIO(SMALL), "image/png")
    assert await sweeping == 0
    assert await artifacts.find(kept.key) == kept


async def test_range_that_ends_early_is_no_answer(storage: StorageApi, artifacts: BucketArtifacts) -> None:
    kept = await artifacts.put(io.BytesIO(LARGE), "video/mp4")
    storage.faults.add("clean_cut", "/download", times=1)
    pieces = []
    with pytest.raises(StoreUnavailable, match="instead of"):
        pieces = [piece async for piece in artifacts.read(kept)]
    assert pieces == []
    assert b"".join([piece async for piece in artifacts.read(kept)]) == LARGE


async def test_large_result_is_read_piece_by_piece(storage: StorageApi, artifacts: BucketArtifacts) -> None:
    kept = await artifacts.put(io.BytesIO(LARGE), "video/mp4")
    storage.requests.clear()
    assert b"".join([piece async for piece in artifacts.read(kept, 100, PIECE + 200)]) == LARGE[100 : PIECE + 200]
    assert [entry.headers["range"] for entry in storage.requests] == [
        f"bytes=100-{PIECE + 99}", f"bytes={PIECE + 100}-{PIECE + 199}",
    ]  # fmt: skip


async def test_file_that_ends_early_is_read_on(storage: StorageApi, files: BucketFiles) -> None:
    await files.write(NAME, io.BytesIO(SMALL))
    storage.faults.add("clean_cut", "/download", times=1)
    assert await read(files, NAME) == SMALL


async def test_file_that_was_spoilt_is_no_file(storage: StorageApi, files: BucketFiles) -> None:
    await files.write(NAME, io.BytesIO(SMALL))
    storage.spoils = True
    with pytest.raises(StoreUnavailable, match="DataCorruption"):
        await files.read(NAME)


@pytest.mark.usefixtures("storage")
async def test_bucket_that_is_not_there_is_unavailable() -> None:
    files = BucketFiles("nobody", timeout_s=20)
    with pytest.raises(StoreUnavailable, match="gs://nobody"):
        await files.write(NAME, io.BytesIO(SMALL))
    await files.close()


@pytest.mark.parametrize("listening", [True, False])
async def test_silent_storage_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, listening: bool) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.getsockname()[1]}")
    if not listening:
        server.close()
    files, artifacts = BucketFiles("bucket", timeout_s=0.3), BucketArtifacts("bucket", timeout_s=0.3)
    key = f"{'0' * 64}.png"
    calls = [
        files.write(NAME, io.BytesIO(SMALL)), files.read(NAME), files.remove(NAME), files.old("inputs", 0),
        artifacts.put(io.BytesIO(SMALL), "image/png"), artifacts.find(key), artifacts.sweep(0),
    ]  # fmt: skip
    for call in calls:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await call
        assert time.monotonic() - began < 3
    await files.close()
    await artifacts.close()
    server.close()


ERRORS = {
    *GOOGLES, *subclasses(requests.RequestException), *subclasses(urllib3.exceptions.HTTPError),
    storage_errors.InvalidResponse, storage_errors.DataCorruption, OSError, TimeoutError,
}  # fmt: skip


@pytest.mark.parametrize("error", sorted(ERRORS, key=str))
def test_every_error_of_storage_is_translated(error: type[BaseException]) -> None:
    with pytest.raises(StoreUnavailable), storage_bucket.translated("bucket"):
        raise error.__new__(error)
