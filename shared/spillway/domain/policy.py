"""Whether a request is tried on the subnet first: one small state for each route and model.

The subnet comes first. It is left alone while it has asked for that (Retry-After) and while it is down: after
`DOWN_AFTER` tries in a row brought nothing, only one try at a time is let through, after pauses that double from 2
to 15 s. A success ends both at once. A refusal while other tries are under way says that the subnet is full, not
that it is down, and does not count.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from spillway.errors import NoCapacity, Overflow, Unreachable

DOWN_AFTER = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 15.0
LONGEST_REST_S = 60.0
MODELS_PER_ROUTE = 256

Reason = Literal["subnet-first", "probe", "resting", "down"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to try the subnet, and why."""

    subnet: bool
    reason: Reason


class SubnetPolicy:
    """The state of one route and model. Every `begin` is followed by exactly one `end`; times in seconds."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.failures_in_a_row = 0
        self._rest_until = float("-inf")
        self._next_probe = float("-inf")
        self._pause_s = FIRST_PAUSE_S
        self._probing = False

    @property
    def down(self) -> bool:
        """Whether the subnet is taken for dead."""
        return self.failures_in_a_row >= DOWN_AFTER

    def decide(self, now: float) -> Decision:
        """Where the next request goes first."""
        if now < self._rest_until:
            return Decision(subnet=False, reason="resting")
        if not self.down:
            return Decision(subnet=True, reason="subnet-first")
        if self._probing or self.in_flight or now < self._next_probe:
            return Decision(subnet=False, reason="down")
        return Decision(subnet=True, reason="probe")

    def begin(self) -> None:
        """A try starts."""
        self.in_flight += 1
        self._probing = self._probing or self.down

    def end(self, outcome: BaseException | None, now: float, *, telling: bool = True) -> None:
        """A try ended: None is a success; a caller's fault, or a caller who left, says nothing.

        Nor does an outcome that is not `telling`: it may be the request's own doing.
        """
        self.in_flight -= 1
        self._probing = self._probing and self.in_flight > 0
        if not telling:
            return
        if outcome is None:
            self._proven()
        elif isinstance(outcome, Overflow):
            self._failed(outcome, now)

    def _proven(self) -> None:
        self.failures_in_a_row = 0
        self._pause_s = FIRST_PAUSE_S
        self._rest_until = float("-inf")

    def _failed(self, outcome: Overflow, now: float) -> None:
        if outcome.retry_after_s:
            self._rest_until = now + min(outcome.retry_after_s, LONGEST_REST_S)
        full = isinstance(outcome, NoCapacity) and not isinstance(outcome, Unreachable) and self.in_flight
        if not full:
            self.failures_in_a_row += 1
        if self.down:
            self._next_probe = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


class Policies:
    """One policy for each route and model: the most recent models of a route have their own, the rest share one."""

    def __init__(self) -> None:
        self._by_model: dict[str, OrderedDict[str, SubnetPolicy]] = {}

    def of(self, route: str, model: str) -> SubnetPolicy:
        """The policy of a model; `route` names the route that serves it."""
        models = self._by_model.setdefault(route, OrderedDict())
        policy = models.get(model)
        if policy is None:
            policy = self._admit(models, model)
        else:
            models.move_to_end(model)
        return policy

    def _admit(self, models: "OrderedDict[str, SubnetPolicy]", model: str) -> SubnetPolicy:
        if len(models) >= MODELS_PER_ROUTE:
            idle = next((name for name, policy in models.items() if not policy.in_flight and name != "*"), None)
            if idle is None:
                return models.setdefault("*", SubnetPolicy())
            del models[idle]
        return models.setdefault(model, SubnetPolicy())
