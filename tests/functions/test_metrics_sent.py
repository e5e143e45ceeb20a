"""Metrics as a collector gets them by OTLP over HTTP: what /metrics shows, under the same names."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint
from prometheus_client.parser import text_string_to_metric_families

from simulator import Fault, OpenAiApi, SubnetGateway, background
from support.collector import Collector, collecting
from support.front_door import command, hosted_routes
from support.google import ACCESS_TOKEN, Google
from support.waiting import until

PICTURE = {"prompt": "a cat"}
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
NEVER_MS, OFTEN_MS = 3_600_000, 200


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    subnet, hosted = SubnetGateway(slots=4, time_scale=0.001), OpenAiApi(service_s=0.001)
    folder: Path = tmp_path_factory.mktemp("metrics")
    with background(subnet), background(hosted):
        subnet.faults.add(Fault("error", status=500, times=1))
        yield {
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_ROUTES": hosted_routes(folder, hosted.url),
            "SPILLWAY_ARTIFACTS": f"file://{folder}/artifacts",
            "SPILLWAY_STATE": f"sqlite:///{folder}/state.db",
            "SPILLWAY_FALLBACK_USD_PER_DAY": "5",
        }


def shown(url: str) -> Series:
    """What /metrics shows."""
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return {
        (one.name, frozenset(one.labels.items())): one.value for one in samples if not one.name.endswith("_created")
    }


def taken(collector: Collector) -> Series:
    """What a collector holds, as Prometheus names it."""
    series: Series = {}
    for name, metric in dict(collector.metrics).items():
        for point in metric.sum.data_points or metric.gauge.data_points:
            series[name, labels(point)] = point.as_double
        for bars in metric.histogram.data_points:
            series |= histogram(name, bars)
    return series


def histogram(name: str, point: HistogramDataPoint) -> Series:
    own, upto, series = labels(point), 0, Series()
    for bound, count in zip([*point.explicit_bounds, float("inf")], point.bucket_counts, strict=True):
        upto += count
        series[f"{name}_bucket", own | {("le", "+Inf" if bound == float("inf") else str(bound))}] = upto
    return series | {(f"{name}_count", own): point.count, (f"{name}_sum", own): point.sum}


def labels(point: NumberDataPoint | HistogramDataPoint) -> frozenset[tuple[str, str]]:
    return frozenset((pair.key, pair.value.string_value) for pair in point.attributes)


def counted(series: Series) -> Series:
    """Those that stay as they are while nobody asks for anything."""
    kinds = ("_total", "_bucket", "_count", "_sum")
    return {key: value for key, value in series.items() if key[0].endswith(kinds)}


def ask(url: str) -> str:
    answer = httpx.post(f"{url}/text-to-image", json=PICTURE, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-spillway-served-by"]


def test_a_collector_gets_what_metrics_shows(settings: dict[str, str]) -> None:
    with collecting() as collector:
        sent = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": str(OFTEN_MS),
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=front,cloud.region=europe-west4",
        }
        with command(**settings, **sent) as url:
            assert sorted(ask(url) for _ in range(3)) == ["hosted", "subnet", "subnet"]
            whole = shown(url)
            until(lambda: counted(taken(collector)) == counted(whole))
            assert set(taken(collector)) == set(whole)
            metrics: dict[str, Metric] = dict(collector.metrics)
    assert metrics["spillway_requests_total"].sum.is_monotonic
    assert {point.start_time_unix_nano > 0 for point in metrics["spillway_requests_total"].sum.data_points} == {True}
    assert metrics["spillway_fallback_budget_usd"].gauge.data_points[0].as_double == 5
    assert collector.attributes.items() >= {"service.name": "front", "cloud.region": "europe-west4"}.items()
    assert collector.attributes["service.instance.id"]
    assert collector.spans == []


def test_last_words_of_a_process_are_sent(settings: dict[str, str]) -> None:
    with collecting() as collector:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": str(NEVER_MS)}
        with command(**settings, **sent) as url:
            ask(url)
            assert collector.metrics == {}
        assert "spillway_requests_total" in collector.metrics


def test_a_collector_that_is_away_disturbs_nobody(settings: dict[str, str]) -> None:
    sent = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1/v1/metrics",
        "OTEL_METRIC_EXPORT_INTERVAL": str(OFTEN_MS),
    }
    with command(**settings, **sent) as url:
        for _ in range(5):
            ask(url)
            time.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 8


def test_googles_collector_is_shown_the_accounts_token(settings: dict[str, str], tmp_path: Path) -> None:
    google = Google()
    with collecting() as collector, background(google):
        sent = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": str(OFTEN_MS),
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER": "gcp_http_credentials",
            "GOOGLE_APPLICATION_CREDENTIALS": google.account_file(tmp_path),
        }
        with command(**settings, **sent):
            until(lambda: bool(collector.metrics))
    assert collector.authorization == f"Bearer {ACCESS_TOKEN}"


@pytest.mark.parametrize(
    "switch", [{"OTEL_METRICS_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}], ids=["metrics", "all"]
)
def test_metrics_can_be_switched_off(settings: dict[str, str], switch: dict[str, str]) -> None:
    with collecting() as collector:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": str(OFTEN_MS)}
        with command(**settings, **sent, **switch) as url:
            ask(url)
            time.sleep(2 * OFTEN_MS / 1000)
        assert collector.metrics == {}
