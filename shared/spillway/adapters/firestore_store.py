"""Documents in Firestore, at `spillway/{folder}/documents/{name}`.

A document has two fields: `text` (domain.documents) and `stamp`, a new one with every write. All lie in collections
of one name, so that one index exemption of the collection group `documents` covers them. Nothing is locked: what
is compared is the time of the last update, which Firestore leaves as it was when a write changes nothing; the stamp
makes every write a change. `FIRESTORE_EMULATOR_HOST` is honoured by Google's library.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1.async_client import AsyncClient
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.base_document import DocumentSnapshot

from spillway.domain.documents import name_of, packed, unpacked
from spillway.errors import Conflict, StoreUnavailable
from spillway.ports.store import Document

TIMEOUT_S = 2.0


class FirestoreStore:
    """Adapter of ports.store.Store. The client is made on first use, inside the event loop that its calls need."""

    def __init__(self, project: str, database: str = "(default)", *, timeout_s: float = TIMEOUT_S):
        self._project = project
        self._database = database
        self._timeout_s = timeout_s
        self._client: AsyncClient | None = None

    async def read(self, folder: str, key: str) -> Document | None:
        """The latest version."""
        async with self._bounded():
            snapshot = await self._place(folder, key).get(timeout=self._timeout_s)
        return _document(snapshot) if snapshot.exists else None

    async def list(self, folder: str) -> list[Document]:
        """All documents of a folder."""
        async with self._bounded():
            collection = self._connected().collection("spillway", folder, "documents")
            return [_document(snapshot) async for snapshot in collection.stream(timeout=self._timeout_s)]

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write the whole document."""
        fields = _fields(key, body)
        async with self._bounded():
            written = await self._place(folder, key).set(fields, timeout=self._timeout_s)
        return _written(fields, written.update_time)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """Write over this version only. Raises Conflict."""
        fields, place = _fields(key, body), self._place(folder, key)
        # The library would repeat a write whose reply was lost, and then take its own first one for a conflict.
        once: dict[str, Any] = {"retry": None, "timeout": self._timeout_s}
        async with self._bounded():
            try:
                if version is None:
                    written = await place.create(fields, **once)
                else:
                    written = await place.update(fields, option=self._only_over(version), **once)
            except (FailedPrecondition, AlreadyExists, NotFound, Aborted) as error:
                raise Conflict(f"{folder}/{key} was changed meanwhile") from error
        return _written(fields, written.update_time)

    async def delete(self, folder: str, key: str) -> None:
        """Remove the document."""
        async with self._bounded():
            await self._place(folder, key).delete(timeout=self._timeout_s)

    async def close(self) -> None:
        """Close the channel, where there is one; the library's client has no way of its own to."""
        if self._client:
            await self._client._firestore_api.transport.close()

    def _connected(self) -> AsyncClient:
        self._client = self._client or AsyncClient(project=self._project, database=self._database)
        return self._client

    def _place(self, folder: str, key: str) -> AsyncDocumentReference:
        with translated():
            return self._connected().document("spillway", folder, "documents", name_of(key))

    def _only_over(self, version: str) -> Any:
        updated = DatetimeWithNanoseconds.from_rfc3339(version)  # type: ignore[no-untyped-call]
        return self._connected().write_option(last_update_time=updated.timestamp_pb())

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        with translated():
            async with asyncio.timeout(self._timeout_s):
                yield


@contextmanager
def translated() -> Iterator[None]:
    """Turn what Google's libraries and the time limit raise into StoreUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable("Firestore was silent for too long") from error
    except (GoogleAPIError, GoogleAuthError, grpc.RpcError, grpc.aio.UsageError, OSError) as error:
        raise StoreUnavailable(f"Firestore can't be used ({type(error).__name__})") from error


def _fields(key: str, body: Mapping[str, Any]) -> dict[str, str]:
    return {"text": packed(key, body), "stamp": uuid.uuid4().hex}


def _document(snapshot: DocumentSnapshot[Any]) -> Document:
    return _written(snapshot.to_dict() or {}, snapshot.update_time)


def _written(fields: Mapping[str, Any], updated: Any) -> Document:
    key, body = unpacked(fields["text"])
    return Document(key, body, updated.rfc3339(), updated.timestamp())
