"""How those who change one document at once, by compare-and-set, let each other through."""

import asyncio
import random

TRIES = 20
BACKOFF, LONGEST = 1.0, 8
"""Of those who change it at once only one succeeds. So each waits for a part of the time that another change may take,
up to so many of them: that is soon in a file, and spreads a dozen instances over a second at a distant store.
"""


async def step_aside(attempt: int, took_s: float) -> None:
    """Wait after a conflict. `attempt` counts from 0, and took so many seconds."""
    await asyncio.sleep(random.uniform(0, BACKOFF * min(2**attempt, LONGEST) * took_s))
