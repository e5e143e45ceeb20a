"""The same records as Prometheus metrics, prefix spillway_."""

from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from spillway.ports import Served

BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 6, 10, 20, 30, 60, 120, 300)
DEPOSITS = {
    "spillway_deposit_wei": "The gateway's deposit with the TicketBroker, as it was seen last.",
    "spillway_reserve_wei": "Its reserve.",
    "spillway_deposit_days_left": "How long the deposit lasts at the last week's rate; absent where nothing is paid.",
    "spillway_deposit_low": "1 where the deposit is below its limits.",
    "spillway_deposit_unlocking": "1 where the deposit is being unlocked.",
    "spillway_deposit_seen_timestamp_seconds": "When the deposit was seen last.",
}


class Metrics:
    """Adapter of ports.Ledger over a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "spillway_requests",
            "Requests by pipeline, outcome and server.",
            ["pipeline", "outcome", "served_by"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "spillway_request_seconds",
            "Time to the whole answer.",
            ["pipeline", "served_by"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._attempts = Counter(
            "spillway_attempts",
            "Tries by backend and outcome.",
            ["pipeline", "backend", "outcome"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "spillway_decisions",
            "First choices of the routing policy by reason.",
            ["pipeline", "reason"],
            registry=self.registry,
        )
        self._usd = Counter("spillway_fallback_usd", "Spend on hosted inference.", ["pipeline"], registry=self.registry)
        self._turned_away = Counter(
            "spillway_turned_away",
            "Requests that were not let in, by reason: a key's faults, its rate, or keys that can't be checked.",
            ["reason"],
            registry=self.registry,
        )
        self._gauges = {
            "spillway_body_bytes": Gauge(
                "spillway_body_bytes", "Bytes of request bodies held now.", registry=self.registry
            ),
            "spillway_job_listeners": Gauge(
                "spillway_job_listeners",
                "Callers that listen to jobs now, by events or by waiting.",
                registry=self.registry,
            ),
            "spillway_announcement_waiting_seconds": Gauge(
                "spillway_announcement_waiting_seconds",
                "For how long the first redemption has waited to be announced; 0 where none waits.",
                registry=self.registry,
            ),
            **{name: Gauge(name, about, ["gateway"], registry=self.registry) for name, about in DEPOSITS.items()},
        }

        self._labelled = cache(lambda metric, *labels: metric.labels(*labels))

    def record(self, served: Served) -> None:
        """Count one request."""
        of, pipeline = self._labelled, served.pipeline
        of(self._requests, pipeline, served.outcome, served.served_by).inc()
        if served.outcome == "served":
            of(self._seconds, pipeline, served.served_by).observe(served.seconds)
        for attempt in served.attempts:
            of(self._attempts, pipeline, attempt.backend, attempt.outcome).inc()
        if served.reason:
            of(self._decisions, pipeline, served.reason).inc()
        if served.usd:
            of(self._usd, pipeline).inc(served.usd)

    def turned_away(self, reason: str) -> None:
        """Count one request that was not let in."""
        self._labelled(self._turned_away, reason).inc()

    def expose(self, now: Mapping[str, float | Mapping[str, float]]) -> tuple[str, bytes]:
        """The content type and the text of all metrics; `now` sets the gauges."""
        for name, value in now.items():
            if isinstance(value, Mapping):
                for gateway, its_own in value.items():
                    self._labelled(self._gauges[name], gateway).set(its_own)
            else:
                self._gauges[name].set(value)
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)
