"""At most one leads, and nobody for ever."""

import asyncio

from spillway.adapters.memory_store import MemoryStore
from spillway.services.leases import LEASE_S, Lease


class Clock:
    """Epoch seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_one_of_many_leads_until_it_leaves() -> None:
    store, clock = MemoryStore(), Clock()
    leases = [Lease(store, "balancer", "lease", epoch=clock) for _ in range(20)]
    taken = await asyncio.gather(*(lease.take() for lease in leases))
    assert sum(taken) == 1
    await leases[taken.index(True)].leave()
    assert await leases[0].take()


async def test_a_lease_ends_by_itself() -> None:
    store, clock = MemoryStore(), Clock()
    assert await Lease(store, "balancer", "lease", epoch=clock).take()
    clock.now += LEASE_S - 1
    assert not await Lease(store, "balancer", "lease", epoch=clock).take()
    clock.now += 2
    assert await Lease(store, "balancer", "lease", epoch=clock).take()


async def test_who_was_late_does_not_end_the_lease_of_the_next() -> None:
    store, clock = MemoryStore(), Clock()
    late, current = (Lease(store, "balancer", "lease", epoch=clock) for _ in range(2))
    assert await late.take()
    clock.now += LEASE_S + 1
    assert await current.take()
    await late.leave()
    assert not await Lease(store, "balancer", "lease", epoch=clock).take()


async def test_a_wrong_clock_does_not_hold_it_for_ever() -> None:
    store, clock = MemoryStore(), Clock()
    await store.write("balancer", "lease", {"until": clock.now + 1e9})
    assert await Lease(store, "balancer", "lease", epoch=clock).take()
