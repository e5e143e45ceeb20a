"""A routing policy with a clock, with those who wait for it, and with an operator's orders."""

import asyncio
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from spillway.domain.controller import Action, Ended, Reason
from spillway.domain.overrides import AUTO, Override
from spillway.domain.policy import SubnetPolicy
from spillway.domain.prospects import slot_in_s
from spillway.ports import Clock
from spillway.services.alarm import Alarm
from spillway.services.journal import Journal
from spillway.services.line import Line

LONGEST_REST_S = 60.0

Go = Literal["subnet", "fallback"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a request goes first, and why. `key` names it to the policy."""

    key: int
    go: Go
    reason: Reason


class Gate:
    """The gate of one route and model in this instance. `name` is its name for people and other instances."""

    def __init__(self, name: str, policy: SubnetPolicy, monotonic: Clock, chance: Random, *, known: bool = True):
        self.name, self.policy, self.known = name, policy, known
        """Known is a model that we name ourselves, or that the subnet has served: callers may ask for any."""
        self.override: Override = AUTO
        self.journal = Journal(policy, monotonic)
        self._monotonic, self._chance = monotonic, chance
        self._keys = itertools.count()
        self._waiting: dict[int, asyncio.Future[Action]] = {}
        self._alarm = Alarm(monotonic, self._tick)
        self._rest_until = self.asked_at = -math.inf
        self._expected: int | None = None
        self.line, self.moved = Line(), asyncio.Event()
        """Those who are patient (services.patience): only the first of them looks, and whenever something has moved."""
        self.started = self.introduced = False
        """Whether what others had learned before was looked at, and whether it was told anything at all."""

    @property
    def used(self) -> bool:
        """Whether a request has come."""
        return bool(self.journal.reasons)

    @property
    def pipeline_and_model(self) -> tuple[str, str]:
        """Whose gate this is."""
        pipeline, _, model = self.name.partition(" ")
        return pipeline, model

    def expect(self, slots: int | None) -> None:
        """The gateway tells how many slots its orchestrators have; only news count."""
        if slots is not None and slots != self._expected:
            self._expected = slots
            self.policy.estimate.slots.expect(slots)
            self.journal.note("gateway")

    def start_from(self, report: Mapping[str, Any] | None) -> None:
        """Begin with what an earlier instance had learned, if any has."""
        self.started = True
        if report and not self.used:
            self.policy.start_from(report)
            self.journal.note("others")

    def report(self) -> dict[str, Any]:
        """What other instances are to know."""
        return {**self.policy.report(self._monotonic()), **self.journal.latest()}

    async def enter(self, within_s: float) -> Entry:
        """Where a request goes. It may wait for a slot, at most `within_s` seconds."""
        key, now = next(self._keys), self._monotonic()
        if barred := self.barred():
            return self._entry(Action(key, "fallback", barred))
        if self.override.mode == "off":
            return self._entry(self._forced(key))
        decided = self._waiting[key] = asyncio.get_running_loop().create_future()
        self._carry_out(self.policy.arrive(key, now))
        return self._entry(decided.result() if decided.done() else await self._wait(key, decided, within_s))

    def _entry(self, action: Action) -> Entry:
        self.asked_at = self._monotonic()
        self.journal.decided(action.reason)
        return Entry(action.key, action.go, action.reason)

    async def _wait(self, key: int, decided: "asyncio.Future[Action]", within_s: float) -> Action:
        try:
            async with asyncio.timeout(within_s):
                return await decided
        except TimeoutError:
            return self._give_up(key, decided)
        except asyncio.CancelledError:
            if self._give_up(key, decided).go == "subnet":
                self.withdraw(key)
            raise
        finally:
            self._waiting.pop(key, None)

    def _give_up(self, key: int, decided: "asyncio.Future[Action]") -> Action:
        """Leave the queue, unless the decision fell in this very moment."""
        if decided.done() and not decided.cancelled():
            return decided.result()
        self._waiting.pop(key, None)
        self._carry_out(self.policy.leave(key, self._monotonic()))
        return Action(key, "fallback", "overtime")

    def withdraw(self, key: int) -> None:
        """A try that was decided on is not made after all: no job runs for it."""
        self._carry_out(self.policy.ended(key, Ended.CALLER, self._monotonic()))

    def obey(self, override: Override) -> None:
        """Follow an operator's order; nobody waits for a slot that he may not have."""
        if override != self.override:
            self.override = override
            self.journal.ordered(override)
        self.moved.set()
        if override.bars_subnet:
            self._send_away("capped")

    def _send_away(self, reason: Reason) -> None:
        for key, waiting in list(self._waiting.items()):
            if not waiting.done():
                waiting.set_result(Action(key, "fallback", reason))
                self._carry_out(self.policy.leave(key, self._monotonic()))

    def force(self) -> Entry:
        """Open a try that was decided on elsewhere."""
        return self._entry(self._forced(next(self._keys)))

    def _forced(self, key: int) -> Action:
        self.policy.force(key, self._monotonic())
        return Action(key, "subnet", "asked")

    def at_once(self) -> Entry | None:
        """Open a try for somebody patient, where one may begin and no live request waits; None where not now."""
        now = self._monotonic()
        if now < self._rest_until or self.override.bars_subnet:
            return None
        if self.override.mode == "off":
            return self.force()
        action = self.policy.begin_if_room(next(self._keys), now)
        return self._entry(action) if action else None

    def shut(self) -> Reason | None:
        """Why it is of no use to wait for a slot now; None where it is."""
        if self.override.bars_subnet:
            return "capped"
        if self._monotonic() < self._rest_until:
            return "resting"
        return None if self.policy.up else "down"

    def barred(self) -> Reason | None:
        """Why a request may not even ask; what an operator has bounded is drawn by lot."""
        if self._monotonic() < self._rest_until:
            return "resting"
        return "capped" if self.over_share() else None

    def over_share(self) -> bool:
        """Whether a request is one of those that an operator keeps from the subnet: drawn by lot."""
        return self._chance.random() >= self.override.max_share

    def slot_in_s(self) -> float | None:
        """When whoever has found no slot may expect one; None where an operator lets nobody to the subnet."""
        if self.override.bars_subnet:
            return None
        now = self._monotonic()
        return max(slot_in_s(self.policy, now), self._rest_until - now) / self.override.max_share

    def turn_away(self, reason: Reason) -> Entry:
        """Somebody goes to hosted inference without having asked the policy."""
        return self._entry(Action(next(self._keys), "fallback", reason))

    def room(self) -> int:
        """How many tries could begin at once now; none against an operator's order or the subnet's wish to rest."""
        now = self._monotonic()
        free = self.override.mode == "auto" and not self.override.bars_subnet and now >= self._rest_until
        return self.policy.room(now) if free else 0

    def next_key(self) -> int:
        """A name for one more hosted job."""
        return next(self._keys)

    def ended(self, key: int, how: Ended, retry_after_s: float | None = None) -> None:
        """A try's connection ended; the subnet may have asked to be left alone for a while."""
        now = self._monotonic()
        if retry_after_s:
            self._rest_until = now + min(retry_after_s, LONGEST_REST_S)
            self._send_away("resting")
        elif how is Ended.SERVED:
            self._rest_until, self.known = -math.inf, True
        self._carry_out(self.policy.ended(key, how, now))
        if retry_after_s:
            self.policy.probing.asked(now, self._rest_until)
        self.journal.note(how.value)

    def beaten(self, key: int) -> None:
        """Hosted inference answered first."""
        self._carry_out(self.policy.beaten(key, self._monotonic()))

    def may_hedge(self, key: int) -> bool:
        """Whether hosted inference may be started beside a slow try."""
        return self.policy.may_hedge(key, self._monotonic())

    def hosted_began(self, key: int) -> None:
        """A hosted job starts."""
        self.policy.hosted_began(key, self._monotonic())

    def hosted_ended(self, key: int, seconds: float | None) -> None:
        """A hosted job is over."""
        self.policy.hosted_ended(key, seconds, self._monotonic())

    def merge(self, reports: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in what other instances report."""
        self._carry_out(self.policy.merge(reports, self._monotonic()))
        self.journal.note("others")

    def _carry_out(self, actions: list[Action]) -> None:
        self.moved.set()
        for action in actions:
            waiting = self._waiting.pop(action.key, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(action)
            elif action.go == "subnet":
                self.withdraw(action.key)
        self._alarm.set(self.policy.wake_at())

    def _tick(self) -> None:
        self._carry_out(self.policy.tick(self._monotonic()))

    def describe(self) -> dict[str, Any]:
        """The operator's order and the state of the policy, for people."""
        return {"mode": self.override.mode, "max_share": self.override.max_share, **self.journal.whole()}
