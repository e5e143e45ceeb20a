"""The metrics of /metrics, sent by OTLP over HTTP under the same names and labels.

Where to, with which headers and how is said by the standard OTEL_ variables.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from spillway.adapters.otlp_resource import resource
from spillway.adapters.prometheus import Metrics
from spillway.ports import Values

NS = 1_000_000_000
CUMULATIVE = AggregationTemporality.CUMULATIVE
Labels = frozenset[tuple[str, str]]
UNKNOWN: Any = (None, None)
"""The smallest and the largest value."""


class OtlpMetrics:
    """Adapter of ports.Collector. Totals are those since this process began to count."""

    def __init__(self, metrics: Metrics):
        self._metrics, self._resource, self._exporter = metrics, resource(), OTLPMetricExporter()

    def send(self, now: Values) -> None:
        """Send all of them; the exporter repeats what fails for a while, and writes into the log what it gives up."""
        at = time.time_ns()
        metrics = [_metric(family, at) for family in self._metrics.families(now)]
        scope = ScopeMetrics(InstrumentationScope("spillway"), [one for one in metrics if one], "")
        self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))

    def close(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()


def _metric(family: Family, at: int) -> Metric | None:
    """None where nothing was counted yet."""
    name, data = _NAMED.get(family.type, _gauge)(family, at)
    return Metric(name, family.documentation, "", data) if data.data_points else None


def _counter(family: Family, at: int) -> tuple[str, Sum]:
    name = f"{family.name}_total"
    return name, Sum(list(_numbers(family, name, at)), CUMULATIVE, is_monotonic=True)


def _gauge(family: Family, at: int) -> tuple[str, Gauge]:
    return family.name, Gauge(list(_numbers(family, family.name, at)))


def _histogram(family: Family, at: int) -> tuple[str, Histogram]:
    return family.name, Histogram(list(_histograms(family, at)), CUMULATIVE)


_NAMED: Mapping[str, Callable[[Family, int], tuple[str, Sum | Gauge | Histogram]]] = {
    "counter": _counter,
    "histogram": _histogram,
}


def _numbers(family: Family, name: str, at: int) -> Iterator[NumberDataPoint]:
    began = _begun(family)
    for sample in family.samples:
        if sample.name == name:
            yield NumberDataPoint(sample.labels, began.get(_labels(sample), 0), at, sample.value)


def _histograms(family: Family, at: int) -> Iterator[HistogramDataPoint]:
    """A point for each set of labels: Prometheus counts up to each bound, OTLP between them."""
    began = _begun(family)
    sums = {_labels(sample): sample.value for sample in family.samples if sample.name == f"{family.name}_sum"}
    for labels, buckets in _buckets(family.samples, f"{family.name}_bucket"):
        bounds = [float(sample.labels["le"]) for sample in buckets]
        upto = [round(sample.value) for sample in buckets]
        counts = [more - less for less, more in zip([0, *upto], upto, strict=False)]
        yield HistogramDataPoint(
            dict(labels), began.get(labels, 0), at, upto[-1], sums[labels], counts, bounds[:-1], *UNKNOWN
        )


def _buckets(samples: Iterable[Sample], name: str) -> Iterator[tuple[Labels, list[Sample]]]:
    by_labels: dict[Labels, list[Sample]] = {}
    for sample in samples:
        if sample.name == name:
            by_labels.setdefault(_labels(sample), []).append(sample)
    yield from by_labels.items()


def _begun(family: Family) -> dict[Labels, int]:
    """When each set of labels was counted first."""
    created = (sample for sample in family.samples if sample.name == f"{family.name}_created")
    return {_labels(sample): round(sample.value * NS) for sample in created}


def _labels(sample: Sample) -> Labels:
    return frozenset((name, value) for name, value in sample.labels.items() if name != "le")
