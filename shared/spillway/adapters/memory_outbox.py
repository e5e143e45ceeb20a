"""The outbox in this process's memory: the twin of the shared ones."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from spillway.errors import Conflict
from spillway.ports import Clock
from spillway.ports.outbox import Draft, Entry


class MemoryOutbox:
    """Adapter of ports.outbox.Outbox over a dict; gone when the process ends."""

    def __init__(self, *, epoch: Clock = time.time):
        self._epoch = epoch
        self._entries: dict[str, Entry] = {}

    async def add(self, drafts: Sequence[Draft]) -> int:
        """Those that are new."""
        return self.insert(drafts)

    def insert(self, drafts: Sequence[Draft]) -> int:
        """The same at once, for who stores something else with them."""
        before = len(self._entries)
        for draft in drafts:
            entry = Entry(
                len(self._entries) + 1, draft.id, draft.kind, _copied(draft.body), self._epoch(), uuid.uuid4().hex
            )
            self._entries.setdefault(draft.id, entry)
        return len(self._entries) - before

    async def pending(self, limit: int) -> list[Entry]:
        """The first that are not done."""
        return [entry for entry in self._entries.values() if entry.done_at is None][:limit]

    async def find(self, entry_id: str) -> Entry | None:
        """An entry by its id."""
        return self._entries.get(entry_id)

    async def mark(self, entry_id: str, state: Mapping[str, Any], over: str) -> Entry:
        """Replace the state. Raises Conflict."""
        entry = self._entries.get(entry_id)
        if entry is None or entry.version != over or entry.done_at is not None:
            raise Conflict(f"the announcement {entry_id} was changed meanwhile")
        self._entries[entry_id] = replace(entry, state=_copied(state), version=uuid.uuid4().hex)
        return self._entries[entry_id]

    async def done(self, entry_id: str) -> None:
        """Take it off the list."""
        entry = self._entries.get(entry_id)
        if entry is not None and entry.done_at is None:
            self._entries[entry_id] = replace(entry, done_at=self._epoch())

    async def close(self) -> None:
        """Nothing is open."""


def _copied(body: Mapping[str, Any]) -> dict[str, Any]:
    """As another store would give it back."""
    copied: dict[str, Any] = json.loads(json.dumps(body))
    return copied
