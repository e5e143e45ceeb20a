"""The outbox in Firestore: entries at `spillway/outbox/entries/{id}`, the last position given at `spillway/outbox`.

An entry has the field `waiting`, its position, for as long as it is not done: only documents that have a field are in
its index, so what is pending is found without a composite one. Whoever adds entries moves the last position on, over
the one that was read; nothing is locked.
"""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from google.cloud.firestore_v1 import DELETE_FIELD
from google.cloud.firestore_v1.async_batch import AsyncWriteBatch
from google.cloud.firestore_v1.async_document import AsyncDocumentReference

from spillway.adapters.firestore_session import TIMEOUT_S, FirestoreSession, Meanwhile, Snapshot, Snapshots
from spillway.errors import StoreUnavailable
from spillway.ports import Clock
from spillway.ports.outbox import Draft, Entry

TRIES = 8


class FirestoreOutbox:
    """Adapter of ports.outbox.Outbox."""

    def __init__(
        self, project: str, database: str = "(default)", *, timeout_s: float = TIMEOUT_S, epoch: Clock = time.time
    ):
        self._session = FirestoreSession(project, database, timeout_s=timeout_s)
        self._epoch = epoch

    async def add(self, drafts: Sequence[Draft]) -> int:
        """Those that are new."""
        for _ in range(TRIES):
            documents = await self._session.snapshots(places(self._session, drafts))
            batch = self._session.client.batch()
            added = insert(self._session, batch, drafts, documents, self._epoch())
            try:
                await self._session.commit(batch)
            except Meanwhile:
                continue
            return added
        raise StoreUnavailable("too many add to the outbox at once")

    async def pending(self, limit: int) -> list[Entry]:
        """The first that are not done."""
        entries = self._session.client.collection("spillway", "outbox", "entries")
        return [_entry(one) for one in await self._session.found(entries.order_by("waiting").limit(limit))]

    async def find(self, entry_id: str) -> Entry | None:
        """An entry by its id."""
        found = await self._session.snapshots([_place(self._session, entry_id)])
        return next(map(_entry, found.values()), None)

    async def mark(self, entry_id: str, state: Mapping[str, Any], over: str) -> Entry:
        """Replace the state. Raises Conflict."""
        place = _place(self._session, entry_id)
        snapshot = (await self._session.snapshots([place])).get(place.path)
        if snapshot is None or snapshot.get("stamp") != over or snapshot.get("done") is not None:
            raise Meanwhile
        batch, stamp = self._session.client.batch(), uuid.uuid4().hex
        fields = {"state": json.dumps(state), "stamp": stamp}
        batch.update(place, fields, option=self._session.still(snapshot))
        await self._session.commit(batch)
        return _read(entry_id, {**(snapshot.to_dict() or {}), **fields})

    async def done(self, entry_id: str) -> None:
        """Take it off the list."""
        for _ in range(TRIES):
            place = _place(self._session, entry_id)
            snapshot = (await self._session.snapshots([place])).get(place.path)
            if snapshot is None or snapshot.get("done") is not None:
                return
            batch = self._session.client.batch()
            fields = {"done": self._epoch(), "waiting": DELETE_FIELD, "stamp": uuid.uuid4().hex}
            batch.update(place, fields, option=self._session.still(snapshot))
            try:
                await self._session.commit(batch)
            except Meanwhile:
                continue
            return
        raise StoreUnavailable(f"the announcement {entry_id} is changed by too many at once")

    async def close(self) -> None:
        """Close the channel."""
        await self._session.close()


def places(session: FirestoreSession, drafts: Sequence[Draft]) -> list[AsyncDocumentReference]:
    """What must be read before these can be inserted."""
    return [_head(session), *(_place(session, draft.id) for draft in drafts)] if drafts else []


def insert(
    session: FirestoreSession, batch: AsyncWriteBatch, drafts: Sequence[Draft], documents: Snapshots, now: float
) -> int:
    """Put those that are new into a batch; `documents` are what `places` named. Gives their number."""
    head = documents.get(_head(session).path)
    last = head.get("position") if head else 0
    new = {draft.id: draft for draft in drafts if _place(session, draft.id).path not in documents}
    for position, draft in enumerate(new.values(), last + 1):
        batch.create(_place(session, draft.id), _fields(draft, position, now))
    if not new:
        return 0
    moved = {"position": last + len(new)}
    if head:
        batch.update(_head(session), moved, option=session.still(head))
    else:
        batch.create(_head(session), moved)
    return len(new)


def _head(session: FirestoreSession) -> AsyncDocumentReference:
    return session.place("outbox")


def _place(session: FirestoreSession, entry_id: str) -> AsyncDocumentReference:
    return session.place("outbox", "entries", entry_id)


def _fields(draft: Draft, position: int, now: float) -> dict[str, Any]:
    return {
        "id": draft.id, "kind": draft.kind, "text": json.dumps(draft.body), "created": now, "position": position,
        "waiting": position, "state": "{}", "stamp": uuid.uuid4().hex, "done": None,
    }  # fmt: skip


def _entry(snapshot: Snapshot) -> Entry:
    fields = snapshot.to_dict() or {}
    return _read(fields["id"], fields)


def _read(entry_id: str, fields: Mapping[str, Any]) -> Entry:
    return Entry(
        fields["position"], entry_id, fields["kind"], json.loads(fields["text"]), fields["created"], fields["stamp"],
        json.loads(fields["state"]), fields["done"],
    )  # fmt: skip
