"""Results kept in Cloud Storage, at `artifacts/{key}`, named by the SHA-256 of their content.

An object's custom time is when it was kept last. The bucket's lifecycle goes by it (`days_since_custom_time`), as the
sweep does: an object that is kept again and again is as old as the last time.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from typing import BinaryIO

from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed
from google.cloud.storage import Bucket

from spillway.adapters.storage_bucket import TIMEOUT_S, StorageBucket
from spillway.domain.artifact_keys import digest_of, key_of, type_of
from spillway.errors import StoreUnavailable
from spillway.ports import Artifact

FOLDER = "artifacts"
PIECE = 2 * 1024 * 1024
"""One read of a range: its round trip is small beside it, and so are ten of them in memory."""
TRIES = 3
MOST_SWEPT = 1000


class BucketArtifacts:
    """Adapter of ports.Artifacts over a bucket."""

    def __init__(self, bucket: str, *, timeout_s: float = TIMEOUT_S):
        self._bucket = StorageBucket(bucket, timeout_s=timeout_s)

    async def put(self, content: BinaryIO, content_type: str) -> Artifact:
        """Keep a result. Raises KeyError for a content type that is never served."""

        def put(bucket: Bucket) -> Artifact:
            key = key_of(content, content_type)
            size = content.seek(0, 2)
            for _ in range(TRIES):
                if self._made(bucket, key, content, size) or self._touched(bucket, key):
                    return Artifact(key, content_type, size, digest_of(key))
            raise StoreUnavailable(f"{key} comes and goes in Cloud Storage")

        return await self._bucket.run(put)

    async def find(self, key: str) -> Artifact | None:
        """None for a key that is not kept, and for anything that is no key at all."""
        content_type = type_of(key)
        if content_type is None:
            return None
        size = await self._bucket.run(lambda bucket: self._size(bucket, key))
        return None if size is None else Artifact(key, content_type, size, digest_of(key))

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces of 2 MiB."""
        end = artifact.size if end is None else end
        while start < end:
            stop = min(start + PIECE, end)
            yield await self._piece(artifact.key, start, stop)
            start = stop

    async def sweep(self, before: float) -> int:
        """Remove what was kept last before then, up to a thousand of them."""
        found = await self._bucket.old(FOLDER, before, MOST_SWEPT)
        return sum(await asyncio.gather(*(self._bucket.remove_unless_changed(blob) for blob in found)))

    async def close(self) -> None:
        """Close the connections, where there are some."""
        await self._bucket.close()

    def _made(self, bucket: Bucket, key: str, content: BinaryIO, size: int) -> bool:
        """Whether the object is there now because it was not; so no upload that is repeated does harm."""
        blob = bucket.blob(f"{FOLDER}/{key}")
        blob.custom_time = datetime.now(UTC)
        try:
            blob.upload_from_file(
                content, rewind=True, size=size, content_type=type_of(key), if_generation_match=0, **self._bucket.bounds
            )
        except PreconditionFailed:
            return False
        return True

    def _touched(self, bucket: Bucket, key: str) -> bool:
        """Whether the object is there still, kept until later than before."""
        blob = bucket.blob(f"{FOLDER}/{key}")
        blob.custom_time = datetime.now(UTC)
        try:
            # A clock that is ahead of ours has been here: a custom time can't go backwards.
            with suppress(BadRequest):
                blob.patch(**self._bucket.bounds)
        except NotFound:
            return False
        return True

    def _size(self, bucket: Bucket, key: str) -> int | None:
        blob = bucket.get_blob(f"{FOLDER}/{key}", **self._bucket.bounds)
        return int(blob.size) if blob else None

    async def _piece(self, key: str, start: int, stop: int) -> bytes:
        def read(bucket: Bucket) -> bytes:
            blob = bucket.blob(f"{FOLDER}/{key}")
            # The object's checksum is that of the whole, not of a range.
            data: bytes = blob.download_as_bytes(start=start, end=stop - 1, checksum=None, **self._bucket.bounds)
            return data

        data = await self._bucket.run(read)
        if len(data) != stop - start:
            raise StoreUnavailable(f"Cloud Storage gave {len(data)} bytes of {key} instead of {stop - start}")
        return data
