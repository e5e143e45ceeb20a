"""The announcer is called where something waits for it."""

import asyncio

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.errors import QueueUnavailable
from spillway.services.announcing import call_announcer, waiting_s
from spillway.services.bell import LocalBell
from support.announced import drafts


class DeadBell:
    """A bell that nobody hears."""

    async def ring(self) -> None:
        """In vain."""
        raise QueueUnavailable("Pub/Sub can't be used")

    async def close(self) -> None:
        """Nothing is open."""


async def is_rung(bell: LocalBell) -> bool:
    began = asyncio.get_running_loop().time()
    await bell.heard(0.2)
    return asyncio.get_running_loop().time() - began < 0.15


async def test_it_rings_while_something_waits() -> None:
    outbox, bell = MemoryOutbox(), LocalBell()
    assert await call_announcer(outbox, bell) == ""
    assert not await is_rung(bell)
    await outbox.add(drafts(1))
    for _ in range(2):
        assert await call_announcer(outbox, bell) == ""
    assert await is_rung(bell)
    assert not await is_rung(bell)


async def test_how_long_the_first_one_waits_is_known() -> None:
    now = 100.0
    outbox = MemoryOutbox(epoch=lambda: now)
    assert await waiting_s(outbox, now) == 0.0
    await outbox.add(drafts(2))
    now = 130.0
    assert await waiting_s(outbox, now) == 30.0
    await outbox.done(drafts(1)[0].id)
    await outbox.add(drafts(1, first=3))
    assert await waiting_s(outbox, now) == 30.0


async def test_a_word_that_does_not_go_out_is_told_and_left_to_the_next_round() -> None:
    outbox = MemoryOutbox()
    assert await call_announcer(outbox, DeadBell()) == ""
    await outbox.add(drafts(1))
    assert await call_announcer(outbox, DeadBell()) == "Pub/Sub can't be used"
