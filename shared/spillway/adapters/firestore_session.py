"""Firestore for those who write several documents as one: batches with a condition on each, instead of locks."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound
from google.cloud.firestore_v1.async_batch import AsyncWriteBatch
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.base_document import DocumentSnapshot

from spillway.adapters.firestore_database import FirestoreDatabase
from spillway.domain.documents import name_of
from spillway.errors import Conflict

TIMEOUT_S = 10.0
Snapshot = DocumentSnapshot[Any]
Snapshots = Mapping[str, Snapshot]


class Meanwhile(Conflict):
    """A document is not as the batch says."""

    def __init__(self) -> None:
        super().__init__("the document was changed meanwhile")


class FirestoreSession(FirestoreDatabase):
    """A database whose documents are read and written several at a time."""

    def place(self, *path: str) -> AsyncDocumentReference:
        """A document under `spillway`; the last part may hold any character."""
        return self.client.document("spillway", *path[:-1], name_of(path[-1]))

    async def snapshots(self, places: Iterable[AsyncDocumentReference]) -> Snapshots:
        """Those of the documents that there are, by their paths."""
        wanted = list(places)
        async with self.bounded():
            found = self.client.get_all(wanted, timeout=self.timeout_s)
            return {one.reference.path: one async for one in found if one.exists}

    async def found(self, query: Any) -> list[Snapshot]:
        """What a query finds."""
        async with self.bounded():
            return [snapshot async for snapshot in query.stream(timeout=self.timeout_s)]

    async def commit(self, batch: AsyncWriteBatch) -> None:
        """All writes or none. Raises Meanwhile."""
        async with self.bounded():
            try:
                await batch.commit(**self.once)
            except (FailedPrecondition, AlreadyExists, NotFound, Aborted) as error:
                raise Meanwhile from error

    def still(self, snapshot: Snapshot) -> Any:
        """The condition that a document is as it was read."""
        return self.only_over(snapshot.update_time)
