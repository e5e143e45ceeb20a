"""Redemptions in Firestore: at `spillway/redemptions/entries/{key}`, cursors at `spillway/redemptions/cursors/{name}`.

Every query goes over one field, so that no composite index is needed: `place` sorts all of them, `live` those that
are not removed, `spot` is chain and block.
"""

import json
import time
import uuid
from collections.abc import Sequence
from typing import Any

from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.base_query import FieldFilter

from spillway.adapters import firestore_outbox
from spillway.adapters.firestore_outbox import TRIES
from spillway.adapters.firestore_session import TIMEOUT_S, FirestoreSession, Meanwhile, Snapshot, Snapshots
from spillway.domain.redemptions import Redemption, order_bounds, read_redemption
from spillway.domain.trail import read_trail
from spillway.errors import Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.redemptions import Cursor, Finding, Page


class FirestoreRedemptions:
    """Adapter of ports.redemptions.Redemptions. Nothing is locked: a batch says what each document must still be."""

    def __init__(
        self, project: str, database: str = "(default)", *, timeout_s: float = TIMEOUT_S, epoch: Clock = time.time
    ):
        self._session = FirestoreSession(project, database, timeout_s=timeout_s)
        self._epoch = epoch

    async def cursor(self, name: str) -> Cursor | None:
        """How far a reading has come."""
        found = await self._session.snapshots([self._cursor(name)])
        return next(map(_read_cursor, found.values()), None)

    async def write(self, name: str, cursor: Cursor, findings: Sequence[Finding]) -> Cursor:
        """One batch, tried again where only the outbox's last position was in the way. Raises Conflict."""
        drafts = [finding.draft for finding in findings if finding.draft]
        over = [self._place(finding.redemption.key) for finding in findings]
        for _ in range(TRIES):
            read = [self._cursor(name), *over, *firestore_outbox.places(self._session, drafts)]
            documents = await self._session.snapshots(read)
            self._check(name, cursor, findings, documents)
            try:
                return await self._commit(name, cursor, findings, documents)
            except Meanwhile:
                continue
        raise StoreUnavailable("too many write redemptions at once")

    async def known(self, keys: Sequence[str]) -> dict[str, Redemption]:
        """By their keys."""
        found = map(_redemption, (await self._session.snapshots(map(self._place, keys))).values())
        return {one.key: one for one in found}

    async def within(self, chain_id: int, first: int, last: int) -> list[Redemption]:
        """By their blocks."""
        found = await self._between("spot", _spot(chain_id, first), _spot(chain_id, last + 1))
        return sorted(map(_redemption, found), key=lambda one: one.order)

    async def page(self, *, since: int, before: int, removed: bool, after: str | None, limit: int) -> Page:
        """The newest first."""
        low, high = order_bounds(since, before, after)
        field = "place" if removed else "live"
        found = [_redemption(one) for one in await self._between(field, low, high, newest=limit + 1)]
        return Page(found[:limit], found[limit - 1].order if len(found) > limit else None)

    async def close(self) -> None:
        """Close the channel."""
        await self._session.close()

    def _check(self, name: str, cursor: Cursor, findings: Sequence[Finding], documents: Snapshots) -> None:
        kept = documents.get(self._cursor(name).path)
        if (kept.get("stamp") if kept else "") != cursor.version:
            raise Conflict("another reading of the chain has moved on")
        for finding in findings:
            known = documents.get(self._place(finding.redemption.key).path)
            if (known.get("revision") if known else None) != finding.over:
                raise Conflict(f"the redemption {finding.redemption.key} was changed meanwhile")

    async def _commit(self, name: str, cursor: Cursor, findings: Sequence[Finding], documents: Snapshots) -> Cursor:
        batch, stamp = self._session.client.batch(), uuid.uuid4().hex
        writes: list[tuple[AsyncDocumentReference, dict[str, Any]]] = [
            (self._cursor(name), {"text": json.dumps(cursor.trail.body()), "stamp": stamp}),
            *((self._place(finding.redemption.key), _fields(finding.redemption)) for finding in findings),
        ]
        for place, fields in writes:
            before = documents.get(place.path)
            if before is None:
                batch.create(place, fields)
            else:
                batch.update(place, fields, option=self._session.still(before))
        drafts = [finding.draft for finding in findings if finding.draft]
        firestore_outbox.insert(self._session, batch, drafts, documents, self._epoch())
        await self._session.commit(batch)
        return Cursor(cursor.trail, stamp)

    async def _between(self, field: str, low: str, high: str, newest: int | None = None) -> list[Snapshot]:
        """By a field from `low` up to `high`; the `newest` so many, or all."""
        entries = self._session.client.collection("spillway", "redemptions", "entries")
        query = entries.where(filter=FieldFilter(field, ">=", low)).where(filter=FieldFilter(field, "<", high))
        if newest is not None:
            query = query.order_by(field, direction="DESCENDING").limit(newest)
        return await self._session.found(query)

    def _cursor(self, name: str) -> AsyncDocumentReference:
        return self._session.place("redemptions", "cursors", name)

    def _place(self, key: str) -> AsyncDocumentReference:
        return self._session.place("redemptions", "entries", key)


def _spot(chain_id: int, block: int) -> str:
    return f"{chain_id}-{block:016d}"


def _fields(one: Redemption) -> dict[str, Any]:
    return {
        "text": json.dumps(one.body()), "place": one.order, "live": None if one.status == "removed" else one.order,
        "spot": _spot(one.chain_id, one.block_number), "revision": one.revision,
    }  # fmt: skip


def _redemption(snapshot: Snapshot) -> Redemption:
    return read_redemption(json.loads(snapshot.get("text")))


def _read_cursor(snapshot: Snapshot) -> Cursor:
    return Cursor(read_trail(json.loads(snapshot.get("text"))), snapshot.get("stamp"))
