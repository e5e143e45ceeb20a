"""Carries a load test out: warm-up, rising steps until something gives way, a stretch beyond it, and the last answers.

Requests are sent when they are due, whatever became of those before. A target that answers nothing at all is not
waited for without end: past `most_in_flight` open requests nothing more is sent, and the rest counts as not sent.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from spillway.loadtest.arrivals import arrivals
from spillway.loadtest.profile import Load, Profile
from spillway.loadtest.samples import Sample
from spillway.loadtest.sender import Sender, until
from spillway.loadtest.steps import Measured, Step, gives_way, measure

NOT_SENT = "not sent"


@dataclass(slots=True)
class Progress:
    """How far it is, for whoever watches. Seconds since it began."""

    profile: Profile
    samples: list[Sample] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    in_flight: int = 0
    rate: float = 0.0
    phase: str = "warm-up"
    broke: dict[str, str] = field(default_factory=dict)
    broke_at: float | None = None
    usd: float | None = None

    @property
    def names(self) -> list[str]:
        """The pipelines, each once."""
        return list(dict.fromkeys(load.name for load in self.profile.pipeline))

    def measured(self) -> list[Measured]:
        """Every pipeline in every step so far."""
        return [measure(step, self.samples, name) for step in self.steps for name in self.names]


class Run:
    """One load test; `progress` is filled as it goes and is whole once `play` has returned."""

    def __init__(self, profile: Profile, sender: Sender, monotonic: Callable[[], float] = time.monotonic):
        self.progress = Progress(profile)
        self._profile, self._sender, self._monotonic = profile, sender, monotonic
        self._open: set[asyncio.Task[None]] = set()
        self._began = 0.0

    def now(self) -> float:
        """Seconds since it began."""
        return self._monotonic() - self._began

    async def play(self) -> None:
        """All of it; what has been seen stays where it is cancelled."""
        self._began = self._monotonic()
        before = await self._sender.spent_usd()
        try:
            await self._stretch((0.0, self._profile.rise.rate), self._profile.warm_up, "warm-up")
            await self._rise()
            self.progress.phase = "last answers"
            await asyncio.gather(*self._open)
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
        after = await self._sender.spent_usd()
        self.progress.usd = max(0.0, after - before) if before is not None and after is not None else None

    async def _rise(self) -> None:
        rise, at, rate, before = self._profile.rise, self._profile.warm_up, self._profile.rise.rate, None
        left = rise.steps
        while left > 0:
            step = Step(rate, at + (rise.ramp if before else 0.0), at + rise.seconds)
            await self._ramp_and_step(before or rate, at, step)
            left -= 1
            if not self.progress.broke and self._judge(step):
                left = self._profile.beyond
            at, before, rate = step.end, rate, rate * (self._profile.over if self.progress.broke else rise.factor)

    async def _ramp_and_step(self, before: float, at: float, step: Step) -> None:
        if step.begin > at:
            await self._stretch((at, before), step.begin - at, f"ramp {step.rate:.3g}", step.rate)
        self.progress.steps.append(step)
        await self._stretch((step.begin, step.rate), step.end - step.begin, f"step {step.rate:.3g}")

    def _judge(self, step: Step) -> bool:
        """Whether anything has given way in a step, by the answers that are there."""
        for name in self.progress.names:
            if why := gives_way(measure(step, self.progress.samples, name), self._profile.limits):
                self.progress.broke[name] = why
                self.progress.broke_at = step.rate
        return bool(self.progress.broke)

    async def _stretch(self, begin: tuple[float, float], seconds: float, phase: str, to: float | None = None) -> None:
        at, rate = begin
        end = (at + seconds, rate if to is None else to)
        self.progress.phase, self.progress.rate = phase, end[1]
        for due, load in arrivals(self._profile, begin, end, phase):
            await until(due, self.now)
            self._send(load, due)
        await until(end[0], self.now)

    def _send(self, load: Load, due: float) -> None:
        if len(self._open) >= self._profile.most_in_flight:
            now = self.now()
            self.progress.samples.append(Sample(load.name, due, now, now, NOT_SENT))
            return
        task = asyncio.create_task(self._one(load, due))
        self._open.add(task)
        self.progress.in_flight = len(self._open)
        task.add_done_callback(self._done)

    async def _one(self, load: Load, due: float) -> None:
        self.progress.samples.append(await self._sender.send(load, due, self.now))

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._open.discard(task)
        self.progress.in_flight = len(self._open)
