"""The same records as Prometheus metrics, prefix spillway_."""

from collections.abc import Iterator, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from spillway.ports import Served, Values

BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 6, 10, 20, 30, 60, 120, 300)
GAUGES = {
    "": {
        "spillway_body_bytes": "Bytes of request bodies held now.",
        "spillway_job_listeners": "Callers that listen to jobs now, by events or by waiting.",
        "spillway_store_up": "0 where the state could not be read for these metrics.",
        "spillway_jobs_untaken_seconds": "How long the first due job that no worker has taken up has waited.",
        "spillway_announcement_waiting_seconds": "For how long the first entry has waited to be announced; 0 if none.",
        "spillway_fallback_budget_usd": "The day's money for hosted inference; this and the next four only with a cap.",
        "spillway_fallback_budget_spent_usd": "What was spent of it, as far as this process has heard.",
        "spillway_fallback_budget_left_usd": "What this process may still reach of it.",
        "spillway_fallback_budget_pressure": "How hard it presses, 0 to 1.",
        "spillway_fallback_budget_warning_percent": "The highest part of it that was warned of today.",
    },
    "gateway": {
        "spillway_deposit_wei": "The gateway's deposit with the TicketBroker, as it was seen last.",
        "spillway_reserve_wei": "Its reserve.",
        "spillway_deposit_days_left": "How long the deposit lasts at the last week's rate; absent if nothing is paid.",
        "spillway_deposit_low": "1 where the deposit is below its limits.",
        "spillway_deposit_unlocking": "1 where the deposit is being unlocked.",
        "spillway_deposit_seen_timestamp_seconds": "When the deposit was seen last.",
    },
    "route": {
        "spillway_subnet_up": "0 where this process holds the subnet for down.",
        "spillway_subnet_limit": "How many jobs at once the subnet is believed to take.",
        "spillway_subnet_in_flight": "Tries of the subnet that are open.",
        "spillway_subnet_waiting": "Requests that wait for a slot of the subnet.",
        "spillway_jobs_queued": "Jobs of the lane that wait for a backend.",
        "spillway_jobs_running": "Jobs of the lane that have one.",
    },
    "function": {
        "spillway_round_timestamp_seconds": "When a timed function's last whole round ended, in epoch seconds.",
    },
}
"""Values of a moment, by their one label; those under "" have none."""
_GAUGES = {name: (label, about) for label, ones in GAUGES.items() for name, about in ones.items()}


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

    def expose(self, now: Values) -> tuple[str, bytes]:
        """The content type and the text of all metrics; gauges are those of `now`, and no others."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry) + generate_latest(_gauges(now))

    def families(self, now: Values) -> Iterator[Metric]:
        """The same, not as text."""
        yield from self.registry.collect()
        yield from _gauges(now).collect()


def _gauges(now: Values) -> CollectorRegistry:
    """A registry of this moment: what could not be had now is left out of it, rather than told as it was."""
    registry = CollectorRegistry()
    for name, value in now.items():
        label, about = _GAUGES[name]
        if isinstance(value, Mapping):
            gauge = Gauge(name, about, [label], registry=registry)
            for labelled, its_own in value.items():
                gauge.labels(labelled).set(its_own)
        else:
            Gauge(name, about, registry=registry).set(value)
    return registry
