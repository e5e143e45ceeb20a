"""What a person asks of a gate: what it believes, why requests went where they went, what has changed and by what."""

from collections import Counter, deque
from dataclasses import asdict
from typing import Any

from spillway.domain.overrides import Override
from spillway.domain.policy import SubnetPolicy
from spillway.ports import Clock

LOOK_EVERY_S = 0.25
KEPT, LATEST = 50, 5
EVERYDAY = ("room", "served")
"""Causes so frequent, and so seldom of a change, that not every one is looked into."""
UNASKED = ("capped", "resting")
"""Decisions without the policy, which change nothing in what it believes."""


class Journal:
    """Reasons, counted, and the latest changes: up or down, the limit by a fifth or more, and an operator's orders.

    A cause is a decision's reason, how a try ended, `others` (what other instances reported) or `gateway` (its word).
    """

    def __init__(self, policy: SubnetPolicy, monotonic: Clock):
        self.reasons: Counter[str] = Counter()
        self._policy, self._monotonic = policy, monotonic
        self._changes: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._was, self._looked_at = (True, 0), float("-inf")

    def decided(self, reason: str) -> None:
        """A request went somewhere."""
        self.reasons[reason] += 1
        if reason not in UNASKED:
            self.note(reason)

    def note(self, cause: str) -> None:
        """Something has happened that may have changed the policy's mind."""
        now = self._monotonic()
        if cause in EVERYDAY and now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        limit, now_up = round(self._policy.limit), self._policy.up
        up, before = self._was
        if now_up != up or abs(limit - before) > max(1.0, before / 5):
            self._was = (now_up, limit)
            self._changes.append({"cause": cause, "up": now_up, "limit": limit, "seconds_ago": now})

    def ordered(self, order: Override) -> None:
        """An operator has changed what the policy may do."""
        up, limit = self._policy.up, round(self._policy.limit)
        told = {"cause": "ordered", "order": asdict(order), "up": up, "limit": limit}
        self._changes.append({**told, "seconds_ago": self._monotonic()})

    def whole(self) -> dict[str, Any]:
        """For people here: what the policy believes, reasons and changes."""
        policy, estimate = self._policy, self._policy.estimate
        return {
            "up": policy.up,
            "limit": round(policy.limit, 2),
            "open": policy.open,
            "waiting": policy.waiting,
            "job_seconds": {"mean": round(estimate.jobs.mean_s, 2), "p95": round(estimate.jobs.p95_s, 2)},
            "refusal_seconds": round(estimate.refusals.window_s, 2),
            "health": round(estimate.health.rate, 3),
            "waste_tokens": round(policy.waste.tokens, 2),
            "peers": len(estimate.peers),
            **self._told(),
        }

    def _told(self) -> dict[str, Any]:
        now = self._monotonic()
        changes = [{**one, "seconds_ago": round(now - one["seconds_ago"])} for one in reversed(self._changes)]
        return {"reasons": dict(self.reasons), "changes": changes}

    def latest(self) -> dict[str, Any]:
        """For people elsewhere."""
        told = self._told()
        return {**told, "changes": told["changes"][:LATEST]}
