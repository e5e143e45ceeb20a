"""All keys, as one instance knows them: who holds a key is told from memory, and changes are seen within 10 s.

An instance looks at the store when requests come: one small document says whether any key has changed, and only then
are the keys read. What was seen within `FRESH_S` is used as it is; up to `STALE_S` it is used while a look goes on
beside; later, requests wait for the look. So a key that was revoked works for `STALE_S` more at most. While the store
can't be reached, the keys that are known go on for `LAST_KNOWN_S`; one that is not gets "come back", as it may be new.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from spillway.domain.callers import Caller
from spillway.domain.keys import Key, date_of, hashed, id_in
from spillway.errors import Conflict, KeyRefused, Overloaded, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Document, Store
from spillway.services.ending import ended
from spillway.services.keys import CHANGES, FOLDER, LATEST

log = logging.getLogger("spillway")
audit = logging.getLogger("spillway.audit")

FRESH_S = 3.0
STALE_S = 8.0
LAST_KNOWN_S = 3600.0
RELIST_S = 60.0
"""A change whose announcement was lost is seen after this."""
GAP_S = 0.2
"""Between looks: whoever makes keys up does not reach the store at will."""
COME_BACK_S = LONGEST_REST_S = 5.0


@dataclass(frozen=True, slots=True)
class _Known:
    key: Key
    caller: Caller
    version: str


@dataclass(frozen=True, slots=True)
class _Picture:
    """The keys at one look: by their ids, and by the hashes of their secrets."""

    change: str = ""
    listed_at: float = float("-inf")
    by_id: Mapping[str, _Known] = field(default_factory=dict)
    by_hash: Mapping[str, _Known] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    highest: int = 0


class Keyring:
    """The keys. `epoch` is the clock that instances share, `monotonic` this one's own."""

    def __init__(self, store: Store, *, epoch: Clock, monotonic: Clock):
        self._store, self._epoch, self._monotonic = store, epoch, monotonic
        self._picture = _Picture()
        self._seen_at = self._looked_at = self._rest_until = float("-inf")
        self._failures = 0
        self._looking: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None
        self._used: set[str] = set()
        self._noted = ("", frozenset[str]())

    async def admit(self, token: str) -> Caller:
        """Whoever holds this key. Raises KeyRefused, and Overloaded where that can't be known now."""
        arrived, digest = self._monotonic(), hashed(token)
        if arrived - self._seen_at > FRESH_S:
            await self._keep_fresh(arrived)
        found = self._opened(digest) or await self._asked_again(token, digest, arrived)
        self._used.add(found.key.id)
        return found.caller

    async def known(self, key_id: str) -> Caller | None:
        """The holder of a key by its id, for work that a request left behind; None where there is none any more."""
        await self._keep_fresh(self._monotonic())
        found = self._picture.by_id.get(key_id)
        return found.caller if found and found.key.revoked_at is None else None

    async def origins(self) -> frozenset[str]:
        """The web pages that may use any key."""
        await self._keep_fresh(self._monotonic())
        return self._picture.origins

    def highest(self) -> int:
        """The highest priority that a key has, and 0 at least."""
        return self._picture.highest

    async def close(self) -> None:
        """Stop what goes on beside requests."""
        await ended(self._looking, self._noting)

    def _opened(self, digest: str) -> _Known | None:
        found = self._picture.by_hash.get(digest)
        return found if found and found.key.opens(digest, self._epoch()) else None

    async def _asked_again(self, token: str, digest: str, arrived: float) -> _Known:
        """A key that is not known may have been made, or given a new secret, since the last look."""
        key_id = id_in(token)
        if key_id is None:
            raise KeyRefused("that is no key of this service: its form or its checksum is wrong")
        known = self._picture.by_id.get(key_id)
        if known is None or known.key.revoked_at is None:
            await self._look_since(arrived)
            if found := self._opened(digest):
                return found
            if self._seen_at < arrived:
                raise Overloaded("keys can't be checked just now: try again shortly", retry_after_s=COME_BACK_S)
        raise KeyRefused("this key is not known, was revoked, or its secret was replaced")

    async def _keep_fresh(self, now: float) -> None:
        """See to it that what is known is not too old to be used. Raises Overloaded."""
        age_s = now - self._seen_at
        if age_s <= FRESH_S:
            return
        if age_s <= STALE_S:
            if not self._resting():
                self._look()
            return
        await self._look_since(now - STALE_S)
        if now - self._seen_at > LAST_KNOWN_S:
            raise Overloaded("keys can't be checked just now: try again shortly", retry_after_s=COME_BACK_S)

    async def _look_since(self, since: float) -> None:
        """Wait for a look that began after this moment; not while the store is left alone."""
        while self._seen_at < since and not self._resting():
            await asyncio.shield(self._look())

    def _resting(self) -> bool:
        return self._monotonic() < self._rest_until

    def _look(self) -> "asyncio.Task[None]":
        """The look that is under way, or a new one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look_once())
        return self._looking

    async def _look_once(self) -> None:
        await asyncio.sleep(self._looked_at + GAP_S - self._monotonic())
        began = self._looked_at = self._monotonic()
        try:
            self._picture = await self._seen(began)
        except StoreUnavailable as error:
            if not self._failures:
                log.warning("the keys that are known go on, new ones can't be checked: %s", error)
            self._failures += 1
            self._rest_until = self._monotonic() + min(0.25 * 2**self._failures, LONGEST_REST_S)
            return
        self._failures, self._seen_at = 0, began
        if self._used and (self._noting is None or self._noting.done()):
            self._noting = asyncio.get_running_loop().create_task(self._note_uses())

    async def _seen(self, now: float) -> _Picture:
        latest = await self._store.read(CHANGES, LATEST)
        change = latest.version if latest else ""
        if change == self._picture.change and now - self._picture.listed_at < RELIST_S:
            return self._picture
        return _picture(change, now, await self._store.list(FOLDER))

    async def _note_uses(self) -> None:
        """Write down that keys were used today: once a day and key, by whichever instance is first."""
        now, (day, noted) = self._epoch(), self._noted
        if day != date_of(now):
            day, noted = date_of(now), frozenset()
        for key_id in self._used - noted:
            known = self._picture.by_id.get(key_id)
            if known and known.key.used_on != day:
                try:
                    await self._note_use(known, now)
                except StoreUnavailable:
                    return
            noted |= {key_id}
            self._noted = (day, noted)
        self._used -= noted

    async def _note_use(self, known: _Known, now: float) -> None:
        # Another instance may have been first: then it has said so.
        with suppress(Conflict):
            await self._store.replace(FOLDER, known.key.id, known.key.used(now).body(), known.version)
            if known.key.first_used_at is None:
                audit.info("key %s (%s) is used for the first time", known.key.id, known.key.name)


def _picture(change: str, now: float, documents: Iterable[Document]) -> _Picture:
    by_id = {document.key: known for document in documents if (known := _known(document))}
    live = [known for known in by_id.values() if known.key.revoked_at is None]
    return _Picture(
        change,
        now,
        by_id,
        by_hash={secret.sha256: known for known in live for secret in known.key.secrets},
        origins=frozenset(origin for known in live for origin in known.caller.origins),
        highest=max((0, *(known.key.priority for known in live))),
    )


def _known(document: Document) -> _Known | None:
    try:
        key = Key.read(document.body)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("the key %s can't be read and is refused: %s", document.key, error)
        return None
    return _Known(key, key.caller(), document.version)
