"""Documents in Firestore, at `spillway/{folder}/documents/{name}`.

A document has two fields: `text` (domain.documents) and `stamp`, which begins with the time and is a new one with every
write. All lie in collections of one name, so that one index exemption of the collection group `documents` covers them:
of `text` alone, as old documents are found by their stamps. Nothing is locked: what is compared is the time of the last
update, which Firestore leaves as it was when a write changes nothing; the stamp makes every write a change.
"""

import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound
from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.base_document import DocumentSnapshot

from spillway.adapters import firestore_queries as queries
from spillway.adapters.firestore_database import TIMEOUT_S, FirestoreDatabase
from spillway.domain.documents import name_of, packed, unpacked
from spillway.errors import Conflict
from spillway.ports.store import Document


class FirestoreStore:
    """Adapter of ports.store.Store over a Firestore database."""

    def __init__(self, project: str, database: str = "(default)", *, timeout_s: float = TIMEOUT_S):
        self._database = FirestoreDatabase(project, database, timeout_s=timeout_s)
        self._timeout_s = timeout_s

    async def read(self, folder: str, key: str) -> Document | None:
        """The latest version."""
        async with self._database.bounded():
            snapshot = await self._place(folder, key).get(timeout=self._timeout_s)
        return _document(key, snapshot.to_dict(), snapshot.update_time) if snapshot.exists else None

    async def list(self, folder: str) -> list[Document]:
        """All documents of a folder."""
        async with self._database.bounded():
            return await _documents(self._folder(folder).stream(timeout=self._timeout_s))

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write the whole document."""
        fields = _fields(key, body)
        async with self._database.bounded():
            written = await self._place(folder, key).set(fields, timeout=self._timeout_s)
        return _document(key, fields, written.update_time)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """Write over this version only. Raises Conflict."""
        fields, place = _fields(key, body), self._place(folder, key)
        once = self._database.once
        async with self._database.bounded():
            try:
                if version is None:
                    written = await place.create(fields, **once)
                else:
                    written = await place.update(fields, option=self._only_over(version), **once)
            except (FailedPrecondition, AlreadyExists, NotFound, Aborted) as error:
                raise Conflict(f"{folder}/{key} was changed meanwhile") from error
        return _document(key, fields, written.update_time)

    async def delete(self, folder: str, key: str) -> None:
        """Remove the document."""
        async with self._database.bounded():
            await self._place(folder, key).delete(timeout=self._timeout_s)

    async def unchanged(self, folder: str, before: float, limit: int = 500) -> Sequence[Document]:
        """Documents that were last written before a time, by the clocks of those who wrote them."""
        async with self._database.bounded():
            old = queries.stamped_before(self._folder(folder), _time(before)).limit(limit)
            return await _documents(old.stream(timeout=self._timeout_s))

    async def close(self) -> None:
        """Close the channel, where there is one."""
        await self._database.close()

    def _place(self, folder: str, key: str) -> AsyncDocumentReference:
        return self._folder(folder).document(name_of(key))

    def _folder(self, folder: str) -> AsyncCollectionReference:
        return self._database.client.collection("spillway", folder, "documents")

    def _only_over(self, version: str) -> Any:
        return self._database.only_over(DatetimeWithNanoseconds.from_rfc3339(version))  # type: ignore[no-untyped-call]


def _fields(key: str, body: Mapping[str, Any]) -> dict[str, str]:
    return {"text": packed(key, body), "stamp": f"{_time(time.time())} {uuid.uuid4().hex}"}


def _time(at: float) -> str:
    """A text that sorts as times do."""
    return f"{at:017.6f}"


def _document(key: str, fields: Mapping[str, Any] | None, updated: Any) -> Document:
    kept = unpacked((fields or {}).get("text"))
    return Document(*(kept or (key, {})), updated.rfc3339(), updated.timestamp())


async def _documents(snapshots: AsyncIterator[DocumentSnapshot[Any]]) -> list[Document]:
    return [
        _document(snapshot.id, fields, snapshot.update_time)
        async for snapshot in snapshots
        if unpacked((fields := snapshot.to_dict() or {}).get("text"))
    ]
