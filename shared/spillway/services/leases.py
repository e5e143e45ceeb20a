"""A lease on a document: one of several processes leads for a while, and nobody for ever."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from spillway.errors import Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Store

LEASE_S = 90.0


class Lease:
    """`take` it, do what must not overlap within `lease_s`, `leave` it. Clocks may differ by seconds, not by more.

    `off_s` is how far this process's clock is behind the store's own, where the store has one of its own.
    """

    def __init__(self, store: Store, folder: str, key: str, *, epoch: Clock, lease_s: float = LEASE_S):
        self._store, self._folder, self._key = store, folder, key
        self._epoch, self._lease_s = epoch, lease_s
        self._version: str | None = None
        self.off_s = 0.0

    async def take(self) -> bool:
        """Whether this process leads now. Raises StoreUnavailable."""
        found = await self._store.read(self._folder, self._key)
        now = self._epoch()
        # An end beyond a lease's length was written by a clock that is wrong: it would hold for ever.
        if found and now < _until(found.body) <= now + 2 * self._lease_s:
            return False
        body = {"holder": uuid.uuid4().hex, "until": now + self._lease_s}
        try:
            kept = await self._store.replace(self._folder, self._key, body, found.version if found else None)
        except Conflict:
            return False
        self._version, self.off_s = kept.version, kept.updated - now
        return True

    async def leave(self) -> None:
        """Let the next one lead; where that fails, the lease ends by itself."""
        if self._version is not None:
            with suppress(Conflict, StoreUnavailable):
                await self._store.replace(self._folder, self._key, {"holder": "", "until": 0.0}, self._version)
            self._version = None


def _until(body: Mapping[str, Any]) -> float:
    """A lease that nobody can read is none."""
    until = body.get("until")
    return float(until) if isinstance(until, int | float) else 0.0
