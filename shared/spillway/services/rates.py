"""Holds keys to their requests a second, together with all other instances (domain.rates).

The bucket of a key is the document `rates/ID`. A request seldom waits for it: what an instance holds is filled up
beside requests, and one that comes after a rest goes ahead. While the store can't be reached, each instance lets its
part through: the rate over the instances that it last knew of.
"""

import asyncio
from dataclasses import dataclass, field

from spillway.domain.callers import Caller, Limits
from spillway.domain.rates import Allotment, Bucket, full, part
from spillway.errors import Conflict, RateLimited, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Store
from spillway.services.contention import TRIES, step_aside
from spillway.services.ending import ended
from spillway.services.keys import RATES
from spillway.services.naming import own_name

WAIT_S = 1.0
REST_S = 2.0


@dataclass(slots=True)
class _Limited:
    """One key on this instance. `alone` is the part of its rate that this instance uses while the store is away."""

    limits: Limits
    held: Allotment = field(default_factory=Allotment)
    waiting: int = 0
    instances: int = 1
    alone: Bucket | None = None
    rest_until: float = float("-inf")
    drawing: "asyncio.Task[None] | None" = None

    def away(self, now: float) -> None:
        """The store is; a part begins with one token, so that an outage brings no burst."""
        self.alone = self.alone or Bucket(1.0, now)
        self.rest_until = now + REST_S

    def take_alone(self, bucket: Bucket, now: float) -> float:
        """Take a token out of this instance's own part; the seconds to wait for one where there is none."""
        own = part(self.limits, self.instances)
        bucket = bucket.filled(own, now)
        wait_s = bucket.seconds_to(own)
        self.alone = bucket if wait_s else bucket.drawn(1, "", now)
        return wait_s


class Rates:
    """The rates of all keys on one instance. `epoch` is the clock that instances share."""

    def __init__(self, store: Store, *, epoch: Clock):
        self._store, self._epoch = store, epoch
        self._name = ""
        self._keys: dict[str, _Limited] = {}

    async def admit(self, caller: Caller) -> None:
        """Count one request. Raises RateLimited."""
        if caller.limits.rate is None:
            return
        one = self._keys.get(caller.id)
        if one is None or one.limits != caller.limits:
            one = self._keys[caller.id] = _Limited(caller.limits)
        wait_s = await self._wait_s(caller.id, one)
        if wait_s > 0:
            raise RateLimited(
                f"this key may make {one.limits.rate:g} requests a second, {one.limits.burst} at once",
                retry_after_s=wait_s,
            )

    async def close(self) -> None:
        """Stop what goes on beside requests."""
        await ended(*(one.drawing for one in self._keys.values()))

    async def _wait_s(self, key_id: str, one: _Limited) -> float:
        """Take a token for a request; the seconds until there may be one where there is none now."""
        now = self._epoch()
        if one.alone is not None:
            if now >= one.rest_until:
                self._draw(key_id, one)
            return one.take_alone(one.alone, now)
        if one.held.ask(now):
            if one.held.is_low(now):
                self._draw(key_id, one)
            return 0.0
        if now < one.held.empty_until:
            return one.held.empty_until - now
        return await self._drawn_for(key_id, one)

    async def _drawn_for(self, key_id: str, one: _Limited) -> float:
        """Wait for a token, at most a second, where the bucket may have one."""
        one.waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                while one.alone is None:
                    await asyncio.wait({self._draw(key_id, one)})
                    now = self._epoch()
                    if one.held.use(now):
                        return 0.0
                    if now < one.held.empty_until:
                        return one.held.empty_until - now
        except TimeoutError:
            one.away(self._epoch())
        finally:
            one.waiting -= 1
        return one.take_alone(one.alone or Bucket(0.0, self._epoch()), self._epoch())

    def _draw(self, key_id: str, one: _Limited) -> "asyncio.Task[None]":
        """The look at the bucket that is under way, or a new one."""
        if one.drawing is None or one.drawing.done():
            one.drawing = asyncio.get_running_loop().create_task(self._drawn(key_id, one))
        return one.drawing

    async def _drawn(self, key_id: str, one: _Limited) -> None:
        try:
            await self._take(key_id, one)
        except StoreUnavailable:
            one.away(self._epoch())
        else:
            one.alone = None

    async def _take(self, key_id: str, one: _Limited) -> None:
        """Take tokens by compare-and-set. Those of a write of which nothing is known are lost."""
        self._name = own_name(self._name)
        clock = asyncio.get_running_loop().time
        for attempt in range(TRIES):
            began = clock()
            found = await self._store.read(RATES, key_id)
            now, paid = self._epoch(), one.held.owed
            bucket = (Bucket.read(found.body) if found else full(one.limits, now)).filled(one.limits, now)
            count = one.held.wanted(bucket, one.waiting, now)
            left = bucket.drawn(count, self._name, now)
            try:
                if count:
                    await self._store.replace(RATES, key_id, left.body(), found.version if found else None)
            except Conflict:
                await step_aside(attempt, clock() - began)
                continue
            one.held.got(count, paid, left, one.limits, now)
            one.instances = len(left.takers)
            return
        raise StoreUnavailable(f"the rate of {key_id} is changed by too many at once")
