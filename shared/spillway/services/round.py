"""One request's way through its backends: which are tried, in what order, for how long, and what became of each."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from spillway.domain.deadlines import WAIT_PART, Deadline, share
from spillway.domain.outcomes import how_it_ended, kind_of, surely_unpaid
from spillway.domain.requests import InferenceRequest, Prefer, Terms
from spillway.domain.routes import Fallback
from spillway.errors import ContextTooLong, MoneySpent, NobodyAnswered, NoCapacity, Overflow
from spillway.ports import Served
from spillway.services.backends import Backends
from spillway.services.budgets import set_aside
from spillway.services.ending import unheard
from spillway.services.gate import Entry, Gate
from spillway.services.lineup import Lineup
from spillway.services.patience import enter_patiently
from spillway.services.tries import Try


class Round:
    """The state of one request. After `plan()`, `tries()` gives the backends in turn; each is begun and ended once."""

    def __init__(self, backends: Backends, request: InferenceRequest, terms: Terms):
        self._backends = backends
        self.request = request
        self.terms = terms
        self.route = backends.routes.find(request.pipeline.name, request.model)
        self.started = backends.monotonic()
        self.deadline = Deadline(self.started + (terms.deadline_s or self.route.deadline))
        self.gate: Gate = backends.gates.of(self.route, request.model)
        self._money = backends.budget.of(terms.caller)
        self._entry: Entry | None = None
        self._lineup = Lineup(backends, self.route, request)
        self._failures: list[tuple[str, Overflow]] = []
        self.record = Served(request.pipeline.name, request.model, pictures=request.pictures)

    async def plan(self) -> None:
        """Decide who is asked first; a request may wait here for a slot of the subnet."""
        self._money.kick()
        await self._backends.exchange.fresh(self.gate)
        hosted = self._lineup.hosted()
        subnet: list[Fallback | None] = [None] if self._lineup.subnet_can else []
        prefer = self._preference() if subnet else "fallback-only"
        if prefer == "auto":
            prefer = "subnet" if not hosted or await self._enter() else "fallback"
        elif hosted and self._over_share(prefer):
            prefer = "fallback"
        if prefer == "subnet-only":
            hosted = []
        if prefer == "fallback-only":
            subnet = []
        if self.gate.override.bars_subnet:
            self.record.reason = self.gate.turn_away("capped").reason
        self._lineup.arrange([*hosted, *subnet] if prefer == "fallback" else [*subnet, *hosted])

    async def enter_patiently(self, patience_s: float) -> None:
        """Wait for a try on the subnet that no live request wants. Raises NoCapacity where there is none in time.

        The time for the answer counts from the try's beginning.
        """
        await self._backends.exchange.fresh(self.gate)
        if not self._lineup.subnet_can:
            raise NoCapacity("the subnet can't take this request")
        insist = self._preference() == "subnet-only"
        self._entry = await enter_patiently(self.gate, patience_s, insist=insist, place=self.terms.place)
        self.record.reason = self._entry.reason
        if self._entry.go != "subnet":
            raise NoCapacity(f"the subnet has no slot for it ({self._entry.reason})")
        self.deadline = Deadline(self._backends.monotonic() + self.route.deadline)

    def tries(self) -> Iterator[Try]:
        """Each backend that may still answer, best first, while there is time."""
        while self._lineup and self.left_s() > 0:
            fallback = self._lineup.take()
            if self._sensible(fallback):
                yield Try(fallback, more=len(self._lineup))

    def _preference(self) -> Prefer:
        """An operator's order comes before a caller's wish."""
        order = self.gate.override
        if order.bars_subnet:
            return "fallback-only"
        return "subnet-only" if order.mode == "subnet-only" else self.terms.prefer

    def _over_share(self, prefer: Prefer) -> bool:
        """Whether a caller who wants the subnet is one too many for the share that an operator leaves it."""
        wanted = prefer in ("subnet", "subnet-only") and self.gate.override.mode != "subnet-only"
        over = wanted and self.gate.over_share()
        if over:
            self.record.reason = self.gate.turn_away("capped").reason
        return over

    async def _enter(self) -> bool:
        self.gate.policy.line.pressure = self._backends.budget.pressure(self._backends.epoch())
        self._entry = await self.gate.enter(WAIT_PART * self.left_s())
        self.record.reason = self._entry.reason
        return self._entry.go == "subnet"

    def may_hedge(self, tried: Try) -> bool:
        """Whether hosted inference may be started beside a try on the subnet that is slow."""
        return tried.key is not None and self.terms.prefer != "subnet-only" and self.gate.may_hedge(tried.key)

    def leave_behind(self, tried: Try, task: "asyncio.Task[Any]") -> None:
        """Hosted inference has answered first: the try is watched to its end, but its outcome is known already."""
        tried.beaten = True
        if tried.key is not None:
            self.gate.beaten(tried.key)
        self._backends.leftovers.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._backends.leftovers.discard(task)
        unheard(task)

    def hedge(self) -> Try | None:
        """The next hosted backend, to be started beside a slow try on the subnet."""
        hosted = self._lineup.take_hosted() if self.left_s() > 0 else None
        return Try(hosted, more=0) if hosted else None

    def _sensible(self, fallback: Fallback | None) -> bool:
        """Whether a backend could do better than those before it.

        Once the day's money is spent, all that the subnet can't hold would be tried there in vain: then only those
        are for whom the policy sees room, or a risk that it can pay for.
        """
        if fallback is None and self._failures and isinstance(self._failures[-1][1], MoneySpent):
            return self.gate.room() > 0
        return self._lineup.large_enough(fallback)

    def begin(self, tried: Try) -> float:
        """Start a try: how many seconds it may take. Raises MoneySpent."""
        now = self._backends.monotonic()
        tried.started = now
        if not self.record.attempts:
            self.record.queue_s = now - self.started
        if tried.fallback is None:
            tried.key = self._enter_try()
            limit: float | None = min(self.route.subnet_timeout, self.gate.policy.patience_s())
        else:
            self._reserve(tried, tried.fallback)
            tried.key = self.gate.next_key()
            self.gate.hosted_began(tried.key)
            limit = tried.fallback.timeout
        return share(self.deadline.left(now), limit_s=limit, more=tried.more)

    def _enter_try(self) -> int:
        """The key of the try that the gate has opened for this request, or of one that it has to open now."""
        entry, self._entry = self._entry, None
        if entry is None or entry.go != "subnet":
            entry = self.gate.force()
            self.record.reason = self.record.reason or entry.reason
        return entry.key

    async def prepare(self, tried: Try) -> None:
        """See to it, before a hosted try begins, that its money is at hand; half of the time left is for the try."""
        if tried.fallback is not None:
            usd = tried.fallback.price_usd(self.request.pictures)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.left_s() / 2):
                    await self._money.prepare(usd, self.terms.priority)

    def _reserve(self, tried: Try, fallback: Fallback) -> None:
        usd = fallback.price_usd(self.request.pictures)
        tried.reservation = set_aside(self._money, usd, self._backends.epoch(), self.terms.priority)
        tried.usd = usd

    def end(self, tried: Try, error: BaseException | None) -> None:
        """A try ended. Raises `error` again unless the next backend may answer."""
        now = self._backends.monotonic()
        self._tell_gate(tried, error, now)
        self.record.attempts.append(tried.record(error, now))
        self.record.usd += tried.usd
        if tried.beaten or (error is None and self.record.served_by):
            return
        if error is None:
            self.record.served_by = tried.backend
        elif isinstance(error, Overflow):
            self._failures.append((tried.backend, error))
            self._rest(tried, error)
        elif isinstance(error, ContextTooLong) and self._lineup.outgrow(tried.fallback):
            return
        else:
            raise error

    def _tell_gate(self, tried: Try, error: BaseException | None, now: float) -> None:
        if tried.key is None:
            return
        if tried.fallback is None:
            how = how_it_ended(error, doubtful=self.request.doubtful)
            self.gate.ended(tried.key, how, error.retry_after_s if isinstance(error, Overflow) else None)
        else:
            self.gate.hosted_ended(tried.key, None if error else now - tried.started)

    def _rest(self, tried: Try, error: Overflow) -> None:
        if tried.fallback is None:
            return
        if surely_unpaid(error) and tried.reservation:
            self._money.release(tried.reservation)
            self.record.usd -= tried.usd
        self._backends.rest(tried.fallback.place, error.retry_after_s)

    def nobody(self) -> NobodyAnswered:
        """The end of a round in which every backend overflowed."""
        may_come_back = self._lineup.subnet_can and self._preference() != "fallback-only"
        slot_in_s = self.gate.slot_in_s() if may_come_back else None
        return NobodyAnswered(self._failures, late=self.left_s() <= 0, slot_in_s=slot_in_s)

    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self.deadline.left(self._backends.monotonic())

    @property
    def last_failure(self) -> Overflow:
        """What the latest try came to that did not answer."""
        return self._failures[-1][1]

    def let_go(self) -> None:
        """Give back a try that was opened for this request and isn't made."""
        entry, self._entry = self._entry, None
        if entry and entry.go == "subnet":
            self.gate.withdraw(entry.key)

    def close(self, error: BaseException | None) -> Served:
        """Write the round into the ledger."""
        self.let_go()
        self.record.outcome = kind_of(error)
        self.record.seconds = self._backends.monotonic() - self.started
        self._backends.ledger.record(self.record)
        return self.record
