"""What instances share: small documents in a store that all of them reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object under its key. No two writes have the same `version`; `updated` is in epoch seconds."""

    key: str
    body: dict[str, Any]
    version: str
    updated: float


class Store(Protocol):
    """Small documents by folder and key. A folder is a word of the code's own; a key may hold any character.

    Each call ends within the adapter's time limit and raises StoreUnavailable where the store gives no answer; a
    write may then have been made, or may still be. `replace` is what ends such doubts: once it has succeeded, no
    earlier `replace` can come through any more, because every write makes a new version. A body that is no JSON or
    has more than 900 kB raises ValueError. What is stored and is no document has no body to whoever reads it by its
    key, so that it can be replaced, and is in no list.
    """

    async def read(self, folder: str, key: str) -> Document | None:
        """The latest version; None where there is none."""
        ...

    async def list(self, folder: str) -> list[Document]:
        """All documents of a folder, by their names."""
        ...

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """Write the whole document; the last writer wins."""
        ...

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """Write only over this version, or with None only where there is no document. Raises Conflict."""
        ...

    async def delete(self, folder: str, key: str) -> None:
        """Remove the document, where there is one."""
        ...

    async def unchanged(self, folder: str, before: float, limit: int = 500) -> Sequence[Document]:
        """Documents of a folder that were last written before a time, the oldest first: what a sweep removes."""
        ...

    async def close(self) -> None:
        """Let go of connections and files; the store is not used afterwards."""
        ...
