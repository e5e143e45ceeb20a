"""The day's money for hosted inference: that of all, and that of each key which has a limit of its own."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from spillway.domain.callers import Caller
from spillway.errors import MoneySpent
from spillway.ports import Clock
from spillway.ports.store import Store
from spillway.services.spending import REFRESH_S, Reservation, Spending


class Money(Protocol):
    """What one caller's jobs are paid from; services.spending says what each does.

    `whose` is for the words to a caller that it does not suffice for.
    """

    whose: str

    def kick(self) -> None: ...
    async def prepare(self, usd: float, priority: int = 0) -> None: ...
    def reserve(self, usd: float, now: float, priority: int = 0) -> Reservation | None: ...
    def release(self, reservation: Reservation) -> None: ...
    def seconds_left(self, now: float, usd: float = 0.0, priority: int = 0) -> float: ...


def set_aside(money: Money, usd: float, now: float, priority: int = 0) -> Reservation:
    """The price of a job, reserved. Raises MoneySpent where the day's money does not hold it."""
    reservation = money.reserve(usd, now, priority)
    if reservation is None:
        how = "can't be reached just now" if could_hold(money, usd, now, priority) else "is spent"
        left_s = money.seconds_left(now, usd, priority)
        raise MoneySpent(f"the day's money{money.whose} for hosted inference {how}", retry_after_s=left_s)
    return reservation


def could_hold(money: Money, usd: float, now: float, priority: int = 0) -> bool:
    """Whether there is so much left of the day's money, at hand or not."""
    return money.seconds_left(now, usd, priority) <= REFRESH_S


class Budgets:
    """All of it. `usd_per_day` None is no cap over all keys."""

    def __init__(
        self, store: Store, usd_per_day: float | None, *, epoch: Clock, highest: Callable[[], int] = lambda: 0
    ):
        self._store, self._epoch = store, epoch
        self.everybody = Spending(store, usd_per_day, epoch=epoch, highest=highest)
        self._own: dict[tuple[str, float], Spending] = {}

    def of(self, caller: Caller) -> Money:
        """The money that a caller's jobs are paid from."""
        usd = caller.limits.usd_per_day
        if usd is None:
            return self.everybody
        own = self._own.get((caller.id, usd))
        if own is None:
            own = self._own[caller.id, usd] = Spending(self._store, usd, epoch=self._epoch, of=caller.id)
        return _Both(self.everybody, own)

    def pressure(self, now: float) -> float:
        """How hard the day's money of all presses, 0 to 1."""
        return self.everybody.pressure(now)

    async def leave(self) -> None:
        """Hold no more than what is spent and waited for, from now on."""
        await asyncio.gather(self.everybody.leave(), *(own.leave() for own in self._own.values()))

    async def close(self) -> None:
        """Spend no more, and give back what is left of all grants."""
        await asyncio.gather(self.everybody.close(), *(own.close() for own in self._own.values()))


class _Both:
    """Money that the day's money of all and the key's own must both hold."""

    whose = " of all, or of this key,"

    def __init__(self, everybody: Spending, own: Spending):
        self._everybody, self._own = everybody, own

    def kick(self) -> None:
        self._everybody.kick()
        self._own.kick()

    async def prepare(self, usd: float, priority: int = 0) -> None:
        await asyncio.gather(self._everybody.prepare(usd, priority), self._own.prepare(usd))

    def reserve(self, usd: float, now: float, priority: int = 0) -> Reservation | None:
        own = self._own.reserve(usd, now)
        if own is None:
            return None
        held = self._everybody.reserve(usd, now, priority)
        if held is None:
            self._own.release(own)
            return None
        held.beside = own
        return held

    def release(self, reservation: Reservation) -> None:
        self._everybody.release(reservation)
        if reservation.beside:
            self._own.release(reservation.beside)

    def seconds_left(self, now: float, usd: float = 0.0, priority: int = 0) -> float:
        return max(self._everybody.seconds_left(now, usd, priority), self._own.seconds_left(now, usd))
