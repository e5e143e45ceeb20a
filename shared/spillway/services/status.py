"""How it is going: requests, who served them and how fast, by pipeline, over the last day. Bounded, in memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from spillway.domain.moments import rfc3339
from spillway.domain.quantiles import nearest_rank
from spillway.ports import Clock, Served

KEPT_S = 24 * 3600.0
KEPT_REQUESTS = 50_000
KEPT_ERRORS = 20


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    pipeline: str
    served_by: str
    outcome: str
    seconds: float
    usd: float
    tries: int


class Status:
    """Adapter of ports.Ledger that can be asked for figures. `epoch` is the clock, in epoch seconds."""

    def __init__(self, epoch: Clock):
        self._epoch = epoch
        self._seen: deque[_Seen] = deque(maxlen=KEPT_REQUESTS)
        self._errors: deque[dict[str, Any]] = deque(maxlen=KEPT_ERRORS)

    def record(self, served: Served) -> None:
        """Take one request in."""
        now = self._epoch()
        self._seen.append(
            _Seen(
                now, served.pipeline, served.served_by, served.outcome, served.seconds, served.usd, len(served.attempts)
            )
        )
        for attempt in served.attempts:
            if attempt.outcome not in ("served", "canceled"):
                self._errors.append(
                    {
                        "at": rfc3339(now),
                        "pipeline": served.pipeline,
                        "backend": attempt.backend,
                        "outcome": attempt.outcome,
                        "message": attempt.message,
                    }
                )

    def figures(self, window_s: float) -> dict[str, Any]:
        """Counts, shares, latencies (seconds) and spend of the last `window_s` seconds, by pipeline and together."""
        since = self._epoch() - min(window_s, KEPT_S)
        seen = [one for one in self._seen if one.at >= since]
        names = sorted({one.pipeline for one in seen})
        return {
            "window_seconds": min(window_s, KEPT_S),
            "since": rfc3339(since),
            "total": _summary(seen),
            "pipelines": {name: _summary([one for one in seen if one.pipeline == name]) for name in names},
            "last_errors": list(reversed(self._errors)),
        }


def _summary(seen: list[_Seen]) -> dict[str, Any]:
    answered = [one for one in seen if one.outcome == "served"]
    subnet = [one for one in answered if one.served_by == "subnet"]
    return {
        "requests": len(seen),
        "subnet": len(subnet),
        "fallback": len(answered) - len(subnet),
        "failed": sum(one.outcome in ("unanswered", "fault") for one in seen),
        "rejected": sum(one.outcome in ("rejected", "refused", "context-too-long") for one in seen),
        "canceled": sum(one.outcome == "canceled" for one in seen),
        "subnet_share": len(subnet) / len(answered) if answered else None,
        "attempts": sum(one.tries for one in seen),
        "fallback_usd": round(sum(one.usd for one in seen), 6),
        "latency": _quantiles(one.seconds for one in answered),
        "latency_by_server": dict(_by_server(answered)),
    }


def _by_server(answered: list[_Seen]) -> Iterator[tuple[str, dict[str, float | None]]]:
    for name in sorted({one.served_by for one in answered}):
        yield name, _quantiles(one.seconds for one in answered if one.served_by == name)


def _quantiles(seconds: Iterable[float]) -> dict[str, float | None]:
    ordered = sorted(seconds)
    found = {f"p{round(q * 100)}": nearest_rank(ordered, q) for q in (0.5, 0.95, 0.99)}
    return {name: None if value is None else round(value, 4) for name, value in found.items()}
