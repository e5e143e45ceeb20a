"""A Firestore database as adapters reach it: connected on first use, each call bounded in time, errors translated.

`FIRESTORE_EMULATOR_HOST` is honoured by Google's library.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1.async_client import AsyncClient

from spillway.errors import StoreUnavailable

TIMEOUT_S = 2.0


class FirestoreDatabase:
    """The client is made on first use, inside the event loop that its calls need."""

    def __init__(self, project: str, database: str, *, timeout_s: float):
        self._project = project
        self._database = database
        self.timeout_s = timeout_s
        self._client: AsyncClient | None = None

    @property
    def client(self) -> AsyncClient:
        """Google's client. Raises StoreUnavailable where nobody says who we are."""
        with translated():
            self._client = self._client or AsyncClient(project=self._project, database=self._database)
        return self._client

    @property
    def once(self) -> dict[str, Any]:
        """How a write is called that must not be repeated.

        The library would repeat one whose reply was lost, and then take its own first one for a conflict.
        """
        return {"retry": None, "timeout": self.timeout_s}

    def only_over(self, updated: DatetimeWithNanoseconds) -> Any:
        """The condition that a document was last updated then."""
        return self.client.write_option(last_update_time=updated.timestamp_pb())  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def bounded(self) -> AsyncIterator[None]:
        """The time limit of one call, and its errors as StoreUnavailable."""
        with translated():
            async with asyncio.timeout(self.timeout_s):
                yield

    async def close(self) -> None:
        """Close the channel, where there is one; the library's client has no way of its own to."""
        if self._client:
            await self._client._firestore_api.transport.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what Google's libraries and the time limit raise into StoreUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable("Firestore was silent for too long") from error
    except (GoogleAPIError, GoogleAuthError, grpc.RpcError, grpc.aio.UsageError, OSError) as error:
        raise StoreUnavailable(f"Firestore can't be used ({type(error).__name__})") from error
