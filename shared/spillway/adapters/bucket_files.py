"""Inputs and results of jobs as objects in Cloud Storage, of their own names."""

import tempfile
from typing import BinaryIO, cast

from google.api_core.exceptions import NotFound
from google.cloud.storage import Bucket

from spillway.adapters.storage_bucket import TIMEOUT_S, StorageBucket
from spillway.domain.file_names import checked

IN_MEMORY = 1024 * 1024


class BucketFiles:
    """Adapter of ports.jobs.Files over a bucket. Contents are compared by their checksum on both ways."""

    def __init__(self, bucket: str, *, timeout_s: float = TIMEOUT_S):
        self._bucket = StorageBucket(bucket, timeout_s=timeout_s)

    async def write(self, name: str, content: BinaryIO) -> None:
        """Keep what the reader holds from its first byte; durable when it returns."""
        size = content.seek(0, 2)
        checked(name)

        def write(bucket: Bucket) -> None:
            kind = "application/octet-stream"
            bucket.blob(name).upload_from_file(
                content, rewind=True, size=size, content_type=kind, **self._bucket.bounds
            )

        await self._bucket.run(write)

    async def read(self, name: str) -> BinaryIO | None:
        """All of it, in memory where it is small; None where there is none."""
        checked(name)

        def read(bucket: Bucket) -> BinaryIO | None:
            content = cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (the caller closes it)
            try:
                bucket.blob(name).download_to_file(content, **self._bucket.bounds)
                content.seek(0)
            except BaseException as error:
                content.close()
                if isinstance(error, NotFound):
                    return None
                raise
            return content

        return await self._bucket.run(read)

    async def remove(self, name: str) -> None:
        """Forget it, where there is one."""
        checked(name)

        def remove(bucket: Bucket) -> None:
            try:
                bucket.blob(name).delete(**self._bucket.bounds)
            except NotFound:
                return

        await self._bucket.run(remove)

    async def old(self, folder: str, before: float, limit: int = 1000) -> list[str]:
        """Names of files of a folder that were written before then."""
        blobs = await self._bucket.old(checked(folder), before, limit)
        return [blob.name for blob in blobs]

    async def close(self) -> None:
        """Close the connections, where there are some."""
        await self._bucket.close()
