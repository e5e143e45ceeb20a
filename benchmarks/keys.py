"""What a key costs a request: microseconds in which the front door finds out who the caller is.

    .venv/bin/python benchmarks/keys.py

One instance, a hundred keys, the best of several passes; the store is not asked in any of them.
"""

import asyncio
import time
from typing import Any

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.callers import Limits
from spillway.domain.keys import Key
from spillway.edge.auth import Entrance, KeyedEntrance, OpenEntrance
from spillway.services.keyring import Keyring
from spillway.services.keys import Keys
from spillway.services.rates import Rates

PASSES, REQUESTS = 20, 2000
HEADERS = ("host", "user-agent", "accept", "accept-encoding", "content-type", "content-length", "authorization")


def scope(key: str) -> dict[str, Any]:
    """A request as an SDK sends it."""
    raw = [(name.encode(), f"Bearer {key}".encode() if name == "authorization" else b"x") for name in HEADERS]
    return {"type": "http", "method": "POST", "path": "/text-to-image", "client": ("127.0.0.1", 1), "headers": raw}


async def microseconds(entrance: Entrance, asked: dict[str, Any]) -> float:
    """The best pass, a request."""
    best = float("inf")
    for _ in range(PASSES):
        began = time.perf_counter()
        for _ in range(REQUESTS):
            await entrance.admit(asked)
        best = min(best, time.perf_counter() - began)
        await asyncio.sleep(0)
    return best / REQUESTS * 1e6


async def main() -> None:
    """Measure and print."""
    store = MemoryStore()
    keys = Keys(store, epoch=time.time, by="benchmark")
    plain = [await keys.create(Key(id="")) for _ in range(100)][50]
    limited = await keys.create(Key(id="", limits=Limits(10_000.0, 100_000)))
    keyring = Keyring(store, epoch=time.time, monotonic=time.monotonic)
    keyed = KeyedEntrance(keyring, Rates(store, epoch=time.time), turned_away=print)
    print("| who asks | us a request |\n|---|---|")
    for name, entrance, token in (
        ("anybody (`SPILLWAY_AUTH=none`)", OpenEntrance(), plain.token),
        ("the holder of a key", keyed, plain.token),
        ("the same, with a rate", keyed, limited.token),
    ):
        print(f"| {name} | {await microseconds(entrance, scope(token)):.1f} |")


if __name__ == "__main__":
    asyncio.run(main())
