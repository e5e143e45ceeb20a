"""A store that is far away."""

import asyncio
from typing import Any

from spillway.adapters.memory_store import MemoryStore


class SlowStore(MemoryStore):
    """One that needs a while for each call, half of it on the way there."""

    def __init__(self, call_s: float) -> None:
        super().__init__()
        self._way_s = call_s / 2

    async def read(self, folder: str, key: str) -> Any:
        await asyncio.sleep(self._way_s)
        found = await super().read(folder, key)
        await asyncio.sleep(self._way_s)
        return found

    async def replace(self, *args: Any) -> Any:
        await asyncio.sleep(self._way_s)
        kept = await super().replace(*args)
        await asyncio.sleep(self._way_s)
        return kept
