"""Spends on hosted inference no more than a day's money, together with all other instances.

Money is reserved from what this instance has been granted, without waiting. Grants come out of the day's books in
the store (domain.budget), in the background and ahead of need; only a caller that finds the grant too small waits
for the store, a few seconds at most. While the store can't be reached, what is granted can still be spent, and no more.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from spillway.domain.budget import DAY_S, SKEW_S, Purse, cap_micros, days_of, kept_from, price_micros
from spillway.domain.pressure import Pace, pressure
from spillway.errors import StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Store
from spillway.services.days import Day, Days
from spillway.services.ending import ended
from spillway.services.grants import Grants

log = logging.getLogger("spillway")

WAIT_S = 5.0
"""A first burst takes two trades, of two calls each, at a store that may be slow. One that is silent ends it sooner."""
REFRESH_S = 10.0
IDLE_S = 60.0
AHEAD_S = 60.0
GAP_S = 0.25
LONGEST_REST_S = 10.0


@dataclass(slots=True)
class Reservation:
    """The price of one job, set aside. It is true; a refusal is None."""

    usd: float
    micros: int
    days: tuple[int, ...]
    beside: "Reservation | None" = None
    """The same price out of the caller's own money, where that is limited too."""


class Spending:
    """The day's money. `usd_per_day` None is no cap, and then the store is not used.

    `highest` tells the highest priority that a caller can have: the last of the money is kept from those below it.
    `of` is the key whose money it is, empty for the money of all.
    """

    whose = ""

    def __init__(
        self,
        store: Store,
        usd_per_day: float | None,
        *,
        epoch: Clock,
        highest: Callable[[], int] = lambda: 0,
        of: str = "",
        wait_s: float = WAIT_S,
    ):
        self._grants = Grants(store, of)
        self._cap = None if usd_per_day is None else cap_micros(usd_per_day)
        self._days = Days(self._cap or 0, of)
        self._epoch, self._wait_s = epoch, wait_s
        self._highest = highest
        self._pace = Pace()
        self._waiting = 0
        self._asked_at = 0.0
        self._failures = 0
        self._rest_until = 0.0
        self._leaving = self._closed = False
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None

    def reserve(self, usd: float, now: float, priority: int = 0) -> Reservation | None:
        """Set the price of a job aside; None where the grant or the day's money does not hold it."""
        micros = price_micros(usd)
        if self._cap is None or micros == 0:
            return Reservation(usd, 0, ())
        days, kept = self._days.near(now), self._kept_from(priority)
        held = not self._closed and all(day.purse.holds(micros, kept) for day in days.values())
        if held:
            self._take(micros, days.values(), now)
        if any(2 * day.purse.stock < day.purse.wanted(self._pace.total(now)) for day in days.values()):
            self._wake.set()
        return Reservation(usd, micros, tuple(days)) if held else None

    def _take(self, micros: int, days: Iterable[Day], now: float) -> None:
        self._pace.add(now, micros)
        for day in days:
            day.purse.take(micros)
            day.note(now)

    def release(self, reservation: Reservation) -> None:
        """Give the price of a job back that was not billed; a second time changes nothing."""
        for number in reservation.days:
            if day := self._days.get(number):
                day.purse.spent -= reservation.micros
        reservation.days = ()

    async def prepare(self, usd: float, priority: int = 0) -> None:
        """Wait, for some seconds at most, until the grant holds a job's price, where the money of all could."""
        self.kick()
        micros, kept = price_micros(usd), self._kept_from(priority)
        self._waiting += micros
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    while self._worth_waiting(micros, kept):
                        await asyncio.wait({self._settled()})
        finally:
            self._waiting -= micros

    def _worth_waiting(self, micros: int, kept: float) -> bool:
        if self._cap is None or micros == 0 or self._closed or self._rest_s() > 0:
            return False
        days = self._days.near(self._epoch()).values()
        holds = all(day.purse.holds(micros, kept) for day in days)
        return not holds and all(day.purse.could_hold(micros, kept) for day in days)

    def kick(self) -> None:
        """A request has come: keep the grant filled in the background. For each request, and cheap."""
        if self._cap is None or self._closed:
            return
        slept, self._asked_at = self._idle(), self._epoch()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
        elif slept:
            self._wake.set()

    def seconds_left(self, now: float, usd: float = 0.0, priority: int = 0) -> float:
        """Until a refused caller may come again: a moment where a larger grant would do, else the next day."""
        if self._cap is None:
            return 0.0
        if self._days.today(now).purse.could_hold(max(1, price_micros(usd)), self._kept_from(priority)):
            return REFRESH_S
        return DAY_S - now % DAY_S + SKEW_S

    def pressure(self, now: float) -> float:
        """How hard the day's money presses, 0 to 1; 0 without a cap."""
        if self._cap is None:
            return 0.0
        day = self._days.today(now)
        left = day.purse.reach
        return pressure(day.history.need(now, self._cap - left, DAY_S - now % DAY_S), left)

    def figures(self, now: float) -> dict[str, float]:
        """Values of this moment by their metric's name; nothing without a cap."""
        if self._cap is None:
            return {}
        day = self._days.today(now)
        return {
            "spillway_fallback_budget_usd": self._cap / 1e6,
            "spillway_fallback_budget_spent_usd": (day.purse.others_spent + day.purse.spent) / 1e6,
            "spillway_fallback_budget_left_usd": day.purse.reach / 1e6,
            "spillway_fallback_budget_pressure": self.pressure(now),
            "spillway_fallback_budget_warning_percent": float(day.warned),
        }

    async def leave(self) -> None:
        """Hold no more from now on than what is spent and waited for: the process may end at any moment."""
        self._leaving = True
        if self._days and not self._closed:
            await self.settle()

    async def close(self) -> None:
        """Spend no more, and give back what is left of the grants."""
        self._closed = True
        await ended(self._keeper, self._settling)
        with suppress(StoreUnavailable):
            for number in list(self._days):
                await self._leave(number)

    def _kept_from(self, priority: int) -> float:
        return kept_from(priority, self._highest())

    def _idle(self) -> bool:
        return self._leaving or self._epoch() - self._asked_at > IDLE_S

    def _rest_s(self) -> float:
        return self._rest_until - asyncio.get_running_loop().time()

    async def _keep(self) -> None:
        """Settle when the stock runs low, and now and then; not while nobody asks and nothing is held."""
        while True:
            self._wake.clear()
            await self.settle()
            with suppress(StoreUnavailable):
                await self._grants.forget(min(days_of(self._epoch())))
            await asyncio.sleep(max(GAP_S, self._rest_s()))
            busy = not self._idle() or any(day.purse.stock for day in self._days.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S if busy else None):
                    await self._wake.wait()

    async def settle(self) -> None:
        """Look at the books of today, and soon of tomorrow: take or give back money, and leave the days before."""
        await asyncio.wait({self._settled()})

    def _settled(self) -> "asyncio.Task[None]":
        """The look at the books that is under way, or a new one."""
        if self._settling is None or self._settling.done():
            self._settling = asyncio.get_running_loop().create_task(self._settle())
        return self._settling

    async def _settle(self) -> None:
        try:
            await self._settle_days(days_of(self._epoch(), ahead_s=AHEAD_S))
        except StoreUnavailable as error:
            if not self._failures:
                log.warning("only what is granted can be spent on hosted inference: %s", error)
            self._failures += 1
            self._rest_until = asyncio.get_running_loop().time() + min(2.0 ** (self._failures - 1), LONGEST_REST_S)
        else:
            self._failures = 0

    async def _settle_days(self, near: list[int]) -> None:
        for number in near:
            day = self._days[number]
            await self._grants.trade(number, day.purse, partial(self._aim, day.purse), idle=self._idle())
            day.note(self._epoch())
        for number in [number for number in self._days if number not in near]:
            await self._leave(number)

    def _aim(self, purse: Purse) -> int:
        wanted = 0 if self._idle() else purse.wanted(self._pace.total(self._epoch()))
        return purse.grant(wanted, min(self._waiting, purse.reach))

    async def _leave(self, number: int) -> None:
        """Have done with a day; it is kept until the books are known to say so."""
        await self._grants.leave(number, self._days[number].purse)
        del self._days[number]
