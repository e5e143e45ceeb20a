"""Which variables ask for what, and which are refused."""

import pytest

from spillway.adapters.prometheus import Metrics
from spillway.assembly.telemetry import open_exporting
from spillway.errors import BadSettings
from spillway.services.gauges import Gauges


@pytest.mark.parametrize("interval", ["soon", "0", "-1", "inf", "nan"])
def test_an_interval_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch, interval: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", interval)
    with pytest.raises(BadSettings, match="OTEL_METRIC_EXPORT_INTERVAL must be a number of milliseconds"):
        open_exporting(Metrics(), Gauges([]).now)


@pytest.mark.parametrize("endpoint", [None, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_metrics_are_sent_nowhere_unasked(monkeypatch: pytest.MonkeyPatch, endpoint: str | None) -> None:
    if endpoint:
        monkeypatch.setenv(endpoint, "http://127.0.0.1:4318")
    assert open_exporting(Metrics(), Gauges([]).now) is None
