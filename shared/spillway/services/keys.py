"""What an operator does with keys: `spillway keys create|change|rotate|revoke|list|log`.

A key is a document at `keys/ID`. After each change the document `key_changes/latest` is written, which every instance
looks at every few seconds (services.keyring): so a change takes effect everywhere within 10 s.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from spillway.domain.key_terms import Change, differences
from spillway.domain.keys import Key, Secret, hashed, id_in, new_id, new_token, new_webhook_secret
from spillway.errors import BadSettings, Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Document, Store

audit = logging.getLogger("spillway.audit")

FOLDER = "keys"
CHANGES, LATEST = "key_changes", "latest"
RATES = "rates"
REVOKED_KEPT_S = 90 * 86400.0
TRIES = 5


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was just made, and the token that is shown this once."""

    key: Key
    token: str


class Keys:
    """The keys in the store. All of it raises StoreUnavailable: run it again then."""

    def __init__(self, store: Store, *, epoch: Clock, by: str):
        self._store, self._epoch, self._by = store, epoch, by

    async def create(self, wanted: Key) -> Made:
        """Make a key of these terms; its id, secrets and times are made here."""
        now, key_id = self._epoch(), new_id(secrets.token_bytes(8))
        token = new_token(key_id, secrets.token_bytes(32))
        key = replace(
            wanted,
            id=key_id,
            secrets=(Secret(hashed(token)),),
            webhook_secret=new_webhook_secret(secrets.token_bytes(32)),
            created_at=now,
        ).told(now, "created", self._by)
        await self._store.replace(FOLDER, key_id, key.body(), None)
        await self._announce(key, "created")
        await self._forget(now)
        return Made(key, token)

    async def change(self, key_id: str, wanted: Change) -> Key:
        """Give a key other terms. Raises BadSettings for terms that make no sense, and where there is no such key."""
        now = self._epoch()

        def change(key: Key) -> Key:
            after = wanted.made(_live(key))
            said = differences(key, after)
            return after.told(now, f"changed: {said}", self._by) if said else key

        return await self._change(key_id, change, "changed")

    async def rotate(self, key_id: str, grace_s: float, *, webhooks: bool = False) -> Made:
        """Give a key a new secret, the old one works for a while yet; and `webhooks` too, at once.

        Raises BadSettings for a key that there is none of.
        """
        token = new_token(_id(key_id), secrets.token_bytes(32))
        now, webhook_secret = self._epoch(), new_webhook_secret(secrets.token_bytes(32))

        def change(key: Key) -> Key:
            changed = _live(key).rotated(hashed(token), now, grace_s, self._by)
            return changed.signing(webhook_secret, now, self._by) if webhooks else changed

        return Made(await self._change(key_id, change, "rotated"), token)

    async def revoke(self, key_id: str) -> Key:
        """End a key for good. Raises BadSettings for a key that there is none of."""
        now = self._epoch()
        return await self._change(key_id, lambda key: key.revoked(now, self._by), "revoked")

    async def list(self) -> list[Key]:
        """All keys, the newest first; those that were revoked are kept for 90 days."""
        documents = await self._store.list(FOLDER)
        return sorted((_read(document) for document in documents), key=lambda key: -key.created_at)

    async def _change(self, key_id: str, change: Callable[[Key], Key], what: str) -> Key:
        for _ in range(TRIES):
            found = await self._store.read(FOLDER, _id(key_id))
            if found is None:
                raise BadSettings(f"there is no key {_id(key_id)}: see `spillway keys list`")
            changed = change(_read(found))
            try:
                await self._store.replace(FOLDER, changed.id, changed.body(), found.version)
            except Conflict:
                continue
            await self._announce(changed, what)
            return changed
        raise StoreUnavailable(f"the key {_id(key_id)} is changed by too many at once")

    async def _announce(self, key: Key, what: str) -> None:
        """Let every instance see a change; said after it was made, so whoever hears of it finds it."""
        await self._store.write(CHANGES, LATEST, {"id": key.id, "at": self._epoch()})
        audit.info("key %s (%s) %s by %s", key.id, key.name, what, self._by)

    async def _forget(self, now: float) -> None:
        for document in await self._store.list(FOLDER):
            revoked_at = document.body.get("revoked_at")
            if revoked_at is not None and now - revoked_at > REVOKED_KEPT_S:
                await self._store.delete(FOLDER, document.key)
                await self._store.delete(RATES, document.key)


def _id(given: str) -> str:
    """The id of a key, where the whole key may have been given."""
    return id_in(given) or given.removeprefix("sw_")[:64]


def _live(key: Key) -> Key:
    if key.revoked_at is not None:
        raise BadSettings(f"the key {key.id} is revoked: create a new one")
    return key


def _read(document: Document) -> Key:
    try:
        return Key.read(document.body)
    except ValueError as error:
        raise StoreUnavailable(str(error)) from error
