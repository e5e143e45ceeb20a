"""Documents in this process's memory: the twin of the shared stores, for one instance and for tests."""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spillway.domain.documents import name_of, packed, unpacked
from spillway.errors import Conflict
from spillway.ports import Clock
from spillway.ports.store import Document


class MemoryStore:
    """Adapter of ports.store.Store over a dict; gone when the process ends."""

    def __init__(self, *, epoch: Clock = time.time):
        self._epoch = epoch
        self._versions = itertools.count(1)
        self._kept: dict[str, dict[str, tuple[str, str, float]]] = {}

    async def read(self, folder: str, key: str) -> Document | None:
        """The latest version."""
        kept = self._kept.get(folder, {}).get(name_of(key))
        return _document(key, *kept) if kept else None

    async def list(self, folder: str) -> list[Document]:
        """All documents of a folder."""
        return _documents(kept for _, kept in sorted(self._kept.get(folder, {}).items()))

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write the whole document."""
        kept = (packed(key, body), str(next(self._versions)), self._epoch())
        self._kept.setdefault(folder, {})[name_of(key)] = kept
        return _document(key, *kept)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """Write over this version only. Raises Conflict."""
        kept = self._kept.get(folder, {}).get(name_of(key))
        if (kept[1] if kept else None) != version:
            raise Conflict(f"{folder}/{key} was changed meanwhile")
        return await self.write(folder, key, body)

    async def delete(self, folder: str, key: str) -> None:
        """Remove the document."""
        self._kept.get(folder, {}).pop(name_of(key), None)

    async def unchanged(self, folder: str, before: float, limit: int = 500) -> Sequence[Document]:
        """Documents that were last written before a time."""
        old = sorted(
            (kept for kept in self._kept.get(folder, {}).values() if kept[2] < before), key=lambda kept: kept[2]
        )
        return _documents(old[:limit])

    async def close(self) -> None:
        """Nothing is open."""


def _document(key: str, text: str, version: str, updated: float) -> Document:
    return Document(*(unpacked(text) or (key, {})), version, updated)


def _documents(kept: Iterable[tuple[str, str, float]]) -> list[Document]:
    return [Document(*found, version, updated) for text, version, updated in kept if (found := unpacked(text))]
