"""Redemptions in this process's memory: the twin of the shared stores."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.domain.redemptions import Redemption, order_bounds
from spillway.errors import Conflict
from spillway.ports.redemptions import Cursor, Finding, Page


class MemoryRedemptions:
    """Adapter of ports.redemptions.Redemptions over dicts, and an outbox of the same process."""

    def __init__(self, outbox: MemoryOutbox):
        self._outbox = outbox
        self._kept: dict[str, Redemption] = {}
        self._cursors: dict[str, Cursor] = {}

    async def cursor(self, name: str) -> Cursor | None:
        """How far a reading has come."""
        return self._cursors.get(name)

    async def write(self, name: str, cursor: Cursor, findings: Sequence[Finding]) -> Cursor:
        """All or none. Raises Conflict."""
        kept = self._cursors.get(name)
        if (kept.version if kept else "") != cursor.version:
            raise Conflict("another reading of the chain has moved on")
        for finding in findings:
            known = self._kept.get(finding.redemption.key)
            if (known.revision if known else None) != finding.over:
                raise Conflict(f"the redemption {finding.redemption.key} was changed meanwhile")
        self._kept |= {finding.redemption.key: finding.redemption for finding in findings}
        self._outbox.insert([finding.draft for finding in findings if finding.draft])
        self._cursors[name] = replace(cursor, version=uuid.uuid4().hex)
        return self._cursors[name]

    async def known(self, keys: Sequence[str]) -> dict[str, Redemption]:
        """By their keys."""
        return {key: self._kept[key] for key in keys if key in self._kept}

    async def within(self, chain_id: int, first: int, last: int) -> list[Redemption]:
        """By their blocks."""
        found = [one for one in self._kept.values() if one.chain_id == chain_id and first <= one.block_number <= last]
        return sorted(found, key=lambda one: one.order)

    async def page(self, *, since: int, before: int, removed: bool, after: str | None, limit: int) -> Page:
        """The newest first."""
        low, high = order_bounds(since, before, after)
        found = sorted((one for one in self._kept.values() if low <= one.order < high), key=lambda one: one.order)
        shown = [one for one in reversed(found) if removed or one.status != "removed"]
        return Page(shown[:limit], shown[limit - 1].order if len(shown) > limit else None)

    async def close(self) -> None:
        """Nothing is open."""
