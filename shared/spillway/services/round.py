"""One request's way through its backends: which are tried, in what order, for how long, and what became of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from spillway.domain.budget import DailyBudget
from spillway.domain.deadlines import Deadline, share
from spillway.domain.outcomes import kind_of
from spillway.domain.policy import Policies, SubnetPolicy
from spillway.domain.requests import InferenceRequest, Terms
from spillway.domain.routes import Fallback, Route, Routes
from spillway.errors import ContextTooLong, NobodyAnswered, NoCapacity, Overflow
from spillway.ports import Attempt, Clock, Inference, Ledger, Served


@dataclass(slots=True)
class Backends:
    """Everything that requests are answered with. `subnet` is None where no gateway is configured."""

    routes: Routes
    subnet: Inference[Route] | None
    hosted: Mapping[str, Inference[Fallback]]
    policies: Policies
    budget: DailyBudget
    ledger: Ledger
    monotonic: Clock
    epoch: Clock
    resting: dict[str, float] = field(default_factory=dict)

    @property
    def the_subnet(self) -> Inference[Route]:
        """The subnet, where a round has found that there is one."""
        assert self.subnet is not None  # noqa: S101 (a round plans no try without it)
        return self.subnet


@dataclass(slots=True)
class Try:
    """One backend of a round; `fallback` is None for the subnet."""

    fallback: Fallback | None
    more: int
    started: float = 0.0
    usd: float = 0.0

    @property
    def backend(self) -> str:
        """Its name in the served-by header."""
        return self.fallback.provider if self.fallback else "subnet"


class Round:
    """The state of one request. `tries()` gives the backends in turn; each is `begin`-ed and `end`-ed once."""

    def __init__(self, backends: Backends, request: InferenceRequest, terms: Terms):
        self._backends = backends
        self.request = request
        self.terms = terms
        self.route = backends.routes.find(request.pipeline.name, request.model)
        self.started = backends.monotonic()
        self.deadline = Deadline(self.started + (terms.deadline_s or self.route.deadline))
        self._policy: SubnetPolicy = backends.policies.of(
            f"{self.route.pipeline} {self.route.model}", request.model if self.route.model == "*" else self.route.model
        )
        self._ahead: list[Fallback | None] = []
        self._window: int | None = None
        self._failures: list[tuple[str, Overflow]] = []
        self.record = Served(request.pipeline.name, request.model)

    def tries(self) -> Iterator[Try]:
        """Each backend that may still answer, best first, while there is time."""
        self._ahead = self._plan()
        while self._ahead and self.left_s() > 0:
            fallback = self._ahead.pop(0)
            if self._window is None or self._larger_window(fallback):
                yield Try(fallback, more=len(self._ahead))

    def _plan(self) -> list[Fallback | None]:
        hosted = self._rested(self._usable())
        prefer = self.terms.prefer
        subnet: list[Fallback | None] = [None] if self._subnet_can() else []
        if prefer == "subnet-only":
            return subnet
        if prefer == "fallback-only":
            return [*hosted]
        if prefer == "fallback" or (prefer == "auto" and not self._decide()):
            return [*hosted, *subnet]
        return [*subnet, *hosted]

    def _decide(self) -> bool:
        decision = self._policy.decide(self._backends.monotonic())
        self.record.reason = decision.reason
        return decision.subnet

    def _subnet_can(self) -> bool:
        return self._backends.subnet is not None and not self.request.beyond_subnet

    def _usable(self) -> list[Fallback]:
        providers = self._backends.routes.providers
        return [
            fallback
            for fallback in self.route.fallbacks
            if fallback.provider in self._backends.hosted
            and (not self.request.beyond_subnet or providers[fallback.provider].kind == "openai")
        ]

    def _rested(self, usable: list[Fallback]) -> list[Fallback]:
        """Those that asked to be left alone come last."""
        now = self._backends.monotonic()
        return sorted(usable, key=lambda fallback: self._backends.resting.get(_place(fallback), now) > now)

    def _larger_window(self, fallback: Fallback | None) -> bool:
        return fallback is not None and (fallback.context_tokens or 0) > (self._window or 0)

    def begin(self, tried: Try) -> float:
        """Start a try: how many seconds it may take. Raises NoCapacity where the day's money is spent."""
        now = self._backends.monotonic()
        tried.started = now
        if not self.record.attempts:
            self.record.queue_s = now - self.started
        if tried.fallback is None:
            self._policy.begin()
            limit: float | None = self.route.subnet_timeout
        else:
            self._reserve(tried, tried.fallback)
            limit = tried.fallback.timeout
        return share(self.deadline.left(now), limit_s=limit, more=tried.more)

    def _reserve(self, tried: Try, fallback: Fallback) -> None:
        usd, now = self.request.pictures * fallback.usd_per_job, self._backends.epoch()
        if not self._backends.budget.reserve(usd, now):
            left_s = self._backends.budget.seconds_left(now)
            raise NoCapacity("the day's money for hosted inference is spent", retry_after_s=left_s)
        tried.usd = usd

    def end(self, tried: Try, error: BaseException | None) -> None:
        """A try ended. Raises `error` again unless the next backend may answer."""
        now = self._backends.monotonic()
        if tried.fallback is None:
            self._policy.end(error, now, telling=not (self.request.doubtful and isinstance(error, NoCapacity)))
        message = str(error) if isinstance(error, Overflow) else ""
        self.record.attempts.append(Attempt(tried.backend, kind_of(error), now - tried.started, message))
        self.record.usd += tried.usd
        if error is None:
            self.record.served_by = tried.backend
        elif isinstance(error, Overflow):
            self._failures.append((tried.backend, error))
            self._rest(tried, error, now)
        elif isinstance(error, ContextTooLong) and self._may_grow(tried):
            return
        else:
            raise error

    def _rest(self, tried: Try, error: Overflow, now: float) -> None:
        if tried.fallback is None:
            return
        if isinstance(error, NoCapacity) and tried.usd:
            self._backends.budget.release(tried.usd)
            self.record.usd -= tried.usd
        if error.retry_after_s:
            self._backends.resting[_place(tried.fallback)] = now + min(error.retry_after_s, 60.0)

    def _may_grow(self, tried: Try) -> bool:
        """Whether a fallback is left whose window is larger than the one that was too small."""
        window = tried.fallback.context_tokens if tried.fallback else self.route.context_tokens
        self._window = max(window or 0, self._window or 0)
        return any(self._larger_window(fallback) for fallback in self._ahead)

    def nobody(self) -> NobodyAnswered:
        """The end of a round in which every backend overflowed."""
        late = self.left_s() <= 0
        return NobodyAnswered(self._failures, late=late)

    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self.deadline.left(self._backends.monotonic())

    def close(self, error: BaseException | None) -> Served:
        """Write the round into the ledger."""
        self.record.outcome = kind_of(error)
        self.record.seconds = self._backends.monotonic() - self.started
        self._backends.ledger.record(self.record)
        return self.record


def _place(fallback: Fallback) -> str:
    return f"{fallback.provider} {fallback.deployment or fallback.model}"
