"""Work for a caller lasts as long as the caller stays: when the connection closes, it is cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from spillway.edge.bodies import CallerGone


@asynccontextmanager
async def while_present(receive: Receive) -> AsyncIterator[None]:
    """Cancel what runs inside when the caller leaves; it ends as CallerGone then."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 (only called from a handler)
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError as error:
        if gone and task.uncancel() == 0:
            raise CallerGone from error
        raise
    finally:
        watcher.cancel()
