"""What a function writes in the cloud is what Cloud Logging reads, and elsewhere plain text as ever."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from spillway.adapters.cloud_logging import CloudLines
from support.front_door import ROOT
from support.functions import started

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01"}


def told(url: str, **more: Any) -> httpx.Response:
    """Its answer to a POST."""
    return httpx.post(url, timeout=60, headers=HEADERS, **more)


def test_a_line_in_the_cloud_belongs_to_its_request(tmp_path: Path) -> None:
    settings = {
        "K_SERVICE": "notifier",
        "SPILLWAY_STATE": "firestore://some-project/spillway",
        "SPILLWAY_DISCORD_WEBHOOK_URL": "http://127.0.0.1:1/api/webhooks/1/x",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
    }
    with (tmp_path / "out").open("w") as output, started("notifier", settings, output=output) as notifier:
        assert told(notifier.url, json={"message": {"messageId": "1"}}).status_code == 503
    entries = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines() if line.startswith("{")]
    assert entries
    for entry in entries:
        assert entry["severity"] in ("WARNING", "ERROR")
        assert entry["logging.googleapis.com/trace"] == f"projects/some-project/traces/{TRACE}"
        assert (entry["logging.googleapis.com/spanId"], entry["logging.googleapis.com/trace_sampled"]) == (SPAN, True)
        assert entry["httpRequest"] == {"requestMethod": "POST", "requestUrl": "/"}
        assert entry["logging.googleapis.com/labels"]["logger"].startswith("spillway")


def test_elsewhere_lines_are_plain(tmp_path: Path) -> None:
    settings = {"SPILLWAY_STATE": f"sqlite:///{tmp_path}/state.db"}
    with (tmp_path / "out").open("w") as output, started("notifier", settings, output=output) as notifier:
        told(notifier.url, content=b"nonsense")
    assert "{" not in (tmp_path / "out").read_text()


def test_a_traceback_is_part_of_the_message_and_of_one_line() -> None:
    lines = CloudLines(dict)
    try:
        raise ValueError("odd")
    except ValueError:
        record = logging.getLogger("spillway.x").makeRecord(
            "spillway.x", logging.ERROR, __file__, 7, "%s broke", ("it",), sys.exc_info(), "here"
        )
    line = lines.format(record)
    entry = json.loads(line)
    assert "\n" not in line
    assert entry["message"].splitlines()[:2] == ["it broke", "Traceback (most recent call last):"]
    assert entry["message"].endswith("ValueError: odd")
    assert (entry["severity"], entry["logging.googleapis.com/sourceLocation"]["line"]) == ("ERROR", "7")


def test_a_line_with_broken_characters_is_written_all_the_same() -> None:
    record = logging.makeLogRecord({"msg": "answered \udce9 \n ü\u2028"})
    line = CloudLines(dict).format(record)
    assert line.encode()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == record.msg


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py")))
def test_every_function_logs_for_the_cloud(name: str) -> None:
    lines = (ROOT / f"functions/{name}/main.py").read_text().splitlines()
    assert "log_for_the_cloud(settings)" in map(str.strip, lines)
