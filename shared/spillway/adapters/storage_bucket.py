"""A bucket of Cloud Storage as adapters reach it: Google's client, which blocks, in threads of its own.

`STORAGE_EMULATOR_HOST` is honoured by Google's library.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import RequestException
from urllib3.exceptions import HTTPError

from spillway.errors import StoreUnavailable

T = TypeVar("T")

TIMEOUT_S = 60.0
CONNECT_S, SILENCE_S = 5.0, 20.0
THREADS = 10
"""As many connections as Google's client keeps open."""


class StorageBucket:
    """One bucket. The client is made on first use, as it looks for credentials.

    Calls are repeated by Google's library where they may be, within `timeout_s`; a thread whose caller has given up
    ends soon after.
    """

    def __init__(self, name: str, *, timeout_s: float = TIMEOUT_S):
        self._name = name
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(THREADS, "storage")
        self._making = threading.Lock()
        self._client: Client | None = None

    @property
    def bounds(self) -> dict[str, Any]:
        """What each call of the library is given: how long to wait for it, and for how long to repeat it."""
        silence_s = min(SILENCE_S, self._timeout_s)
        retry = DEFAULT_RETRY.with_timeout(self._timeout_s).with_delay(initial=0.2, maximum=5.0)
        return {"timeout": (min(CONNECT_S, silence_s), silence_s), "retry": retry}

    async def run(self, job: Callable[[Bucket], T]) -> T:
        """Do this with the bucket. Raises StoreUnavailable."""
        with translated(self._name):
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: job(self._bucket()))

    async def old(self, folder: str, before: float, limit: int) -> list[Blob]:
        """Objects of a folder whose custom time, or else last change, lies before then."""

        def old(bucket: Bucket) -> list[Blob]:
            shown = "items(name,metageneration,customTime,updated),nextPageToken"
            blobs = bucket.list_blobs(prefix=f"{folder}/", fields=shown, **self.bounds)
            return list(islice((blob for blob in blobs if _last(blob) < datetime.fromtimestamp(before, UTC)), limit))

        return await self.run(old)

    async def remove_unless_changed(self, blob: Blob) -> bool:
        """Remove an object as `old` has found it; False where somebody has touched or removed it since."""

        def remove(_: Bucket) -> bool:
            try:
                blob.delete(if_metageneration_match=blob.metageneration, **self.bounds)
            except (NotFound, PreconditionFailed):
                return False
            return True

        return await self.run(remove)

    async def close(self) -> None:
        """Close the connections, where there are some."""
        self._threads.shutdown(wait=False)
        if self._client:
            self._client.close()

    def _bucket(self) -> Bucket:
        # The library would ask for the bucket's description as well, for traces of its own that nobody reads; the role
        # that suffices for objects is refused that.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        with self._making:
            self._client = self._client or Client()
        return self._client.bucket(self._name)


@contextmanager
def translated(bucket: str) -> Iterator[None]:
    """Turn what Google's libraries, those below and the time limit raise into StoreUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable(f"Cloud Storage was silent for too long (gs://{bucket})") from error
    except (
        GoogleAPIError, GoogleAuthError, InvalidResponse, DataCorruption, RequestException, HTTPError, OSError,
    ) as error:  # fmt: skip
        raise StoreUnavailable(f"Cloud Storage can't be used ({type(error).__name__}, gs://{bucket})") from error


def _last(blob: Blob) -> datetime:
    last: datetime = blob.custom_time or blob.updated
    return last
