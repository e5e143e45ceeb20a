"""Many front doors may run at once in these tests, and none leaves a connection behind."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest
import uvicorn

from spillway import assembly
from spillway.adapters.http import HttpPool


@pytest.fixture(autouse=True)
async def _front_doors(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Signals stay pytest's own, and the pools are closed: an application without a lifespan can't do it."""
    pools: list[HttpPool] = []

    def remembered(**options: Any) -> HttpPool:
        pools.append(HttpPool(**options))
        return pools[-1]

    monkeypatch.setattr(assembly, "HttpPool", remembered)
    monkeypatch.setattr(uvicorn.Server, "capture_signals", lambda _: nullcontext())
    yield
    for pool in pools:
        await pool.aclose()
