"""Traces as a collector gets them by OTLP over HTTP, and nothing of them where none is asked for."""

import os
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from simulator import Fault, ReplicateApi, SubnetGateway, background
from support.collector import Collector, collecting
from support.front_door import ROOT, command

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PICTURE = {"prompt": "a cat"}
CHAT = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
TOKEN = "r8_" + "x" * 37


def of_trace(collector: Collector) -> dict[str, Span]:
    """Spans of the caller's trace by name."""
    return {span.name: span for span in collector.spans if span.trace_id.hex() == TRACE}


def attributes(span: Span) -> dict[str, Any]:
    """Those that are text or a number, by name."""
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


@pytest.mark.parametrize(
    ("path", "body", "named", "service"),
    [
        ("/text-to-image", PICTURE, {}, "spillway"),
        ("/llm", CHAT, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=front"}, "front"),
    ],
)
def test_a_request_and_each_of_its_tries_are_spans_of_the_callers_trace(
    path: str, body: dict[str, Any], named: dict[str, str], service: str
) -> None:
    subnet = SubnetGateway(slots=4, time_scale=0.001)
    replicate = ReplicateApi(TOKEN, service_s=0.01, cold_start_s=0.01)
    with background(subnet), background(replicate), collecting() as collector:
        subnet.faults.add(Fault("error", status=500, times=1))
        settings = {
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_REPLICATE_URL": replicate.url,
            "REPLICATE_API_TOKEN": TOKEN,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            **named,
        }
        with command(**settings) as url:
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
            answer = httpx.post(f"{url}{path}", json=body, headers=headers, timeout=60)
            assert (answer.status_code, answer.headers["x-spillway-served-by"]) == (200, "replicate"), answer.text
    spans = of_trace(collector)
    assert set(spans) == {f"POST {path}", "try subnet", "try replicate"}
    request = spans[f"POST {path}"]
    assert (request.parent_span_id.hex(), request.kind) == (CALLER, Span.SPAN_KIND_SERVER)
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(request)["spillway.served_by"] == "replicate"
    for backend, outcome in (("subnet", "failed"), ("replicate", "served")):
        tried = spans[f"try {backend}"]
        assert tried.parent_span_id == request.span_id
        said = attributes(tried)
        assert (said["spillway.backend"], said["spillway.outcome"]) == (backend, outcome)
        assert said["spillway.reason"]
        assert request.start_time_unix_nano <= tried.start_time_unix_nano <= tried.end_time_unix_nano
        upstream = subnet if backend == "subnet" else replicate
        passed = {call.headers.get("traceparent") for call in upstream.requests}
        assert f"00-{TRACE}-{tried.span_id.hex()}-01" in passed
    assert collector.services == {service}


def test_names_of_spans_are_few_and_nothing_of_what_callers_and_backends_say_is_in_them() -> None:
    subnet = SubnetGateway(slots=4, time_scale=0.001)
    with background(subnet), collecting() as collector:
        subnet.faults.add(Fault("error", status=500, message="no very secret cat here", times=1))
        asked = {"X-Spillway-Prefer": "subnet-only"}
        with command(SPILLWAY_SUBNET_URL=subnet.url, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as url:
            httpx.post(f"{url}/text-to-image", json={"prompt": "a very secret cat"}, headers=asked, timeout=60)
            for path in ("/made-up", "/made-up/too", "/jobs/of-somebody", "//", "/"):
                httpx.get(f"{url}{path}?secret=cat", timeout=60)
            assert _status_of(url, "OPTIONS * HTTP/1.1") < 500
    assert {span.name for span in collector.spans} == {
        "POST /text-to-image", "try subnet", "GET", "GET /jobs", "GET /", "OPTIONS"
    }  # fmt: skip
    assert "secret" not in str(collector.spans)


def _status_of(url: str, line: str) -> int:
    """The status of the answer to a request that no client would write."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(f"{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


@pytest.mark.parametrize(
    ("variables", "loaded"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        # No start waits for what sends metrics.
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_opentelemetry_is_loaded_only_where_it_is_asked_for(variables: dict[str, str], loaded: bool) -> None:
    program = "import main, sys; print(any(name.startswith('opentelemetry') for name in sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "functions/gateway",
        env={"PATH": os.defpath, "SPILLWAY_STATE": "memory://", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == str(loaded)
