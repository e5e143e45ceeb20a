"""`spillway simulate`, as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from support.front_door import ROOT
from support.processes import SPILLWAY, spillway

OUTAGE = ROOT / "infra/scenarios/outage.toml"
KEYS = {
    "requests",
    "subnet",
    "fallback",
    "failed",
    "oracle_subnet",
    "subnet_share_of_oracle",
    "attempts",
    "refused_attempts",
    "refused_per_success",
    "doomed_attempts",
    "doomed_per_success",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "fallback_usd",
    "warm_usd",
    "cost_usd",
    "oracle_usd",
    "recovery_seconds",
}
SHORT = """\
name = "{name}"
seed = 3
seconds = 300

[[pipeline]]
name = "text-to-image"
arrivals = [[0, {rate}]]
service = {{ median = 4.0, sigma = 0.3 }}
slots = [[0, 4]]
fallback = {{ seconds = 3.0, usd_per_job = 0.003 }}

[[pipeline]]
name = "image-to-video"
arrivals = [[0, 0.05]]
service = {{ median = 35.0, sigma = 0.3 }}
slots = [[0, 2]]
faults = [{{ from = 50, to = 250, kind = "refuse" }}]
fallback = {{ seconds = 40.0, usd_per_job = 0.06 }}
prices = {{ per_try = 0.0005, per_second = 0.0002 }}
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Five minutes of pictures and videos."""
    file = tmp_path / "short.toml"
    file.write_text(SHORT.format(name="short", rate=1.5))
    return file


def simulate(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return spillway("simulate", *arguments, **environment)


def told(*arguments: str | Path) -> list[dict[str, Any]]:
    ran = simulate("--json", *arguments)
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


def test_json_has_every_figure_of_every_pipeline(short: Path) -> None:
    (one,) = told(short)
    assert set(one) == {"name", "pipelines"}
    assert one["name"] == "short"
    assert set(one["pipelines"]) == {"text-to-image", "image-to-video"}
    for figures in one["pipelines"].values():
        assert set(figures) == KEYS
        assert figures["subnet"] + figures["fallback"] + figures["failed"] == figures["requests"] > 0
    assert one["pipelines"]["text-to-image"]["recovery_seconds"] is None
    assert one["pipelines"]["image-to-video"]["recovery_seconds"] >= 0


def test_same_seed_gives_the_same_figures(short: Path) -> None:
    assert told(short) == told(short)
    assert told(short, "--seed", "3") == told(short)
    assert told(short, "--seed", "4") != told(short)


def test_several_files_are_answered_in_the_order_given(tmp_path: Path, short: Path) -> None:
    files = [tmp_path / f"{name}.toml" for name in "cab"]
    for file in files:
        file.write_text(SHORT.format(name=file.stem, rate=1))
    assert [one["name"] for one in told(*files, short)] == ["c", "a", "b", "short"]


def test_a_scenario_plays_the_same_alone_and_beside_others(tmp_path: Path, short: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(SHORT.format(name="other", rate=3))
    assert told(other, short)[1:] == told(short)


def test_demand_slots_and_instances_can_be_asked_for(short: Path) -> None:
    def pictures(*options: str) -> dict[str, Any]:
        return told(short, *options)[0]["pipelines"]["text-to-image"]  # type: ignore[no-any-return]

    usual = pictures()
    assert pictures("--scale-demand", "2")["requests"] == pytest.approx(2 * usual["requests"], rel=0.2)
    assert pictures("--slots-scale", "3")["fallback"] < usual["fallback"]
    assert pictures("--slots-scale", "0")["subnet"] == 0
    assert pictures("--instances", "4", "--state-delay", "3")["requests"] == usual["requests"]
    assert pictures("--usd-per-second", "1")["cost_usd"] > usual["cost_usd"]


def test_nobody_comes_and_nothing_breaks(short: Path) -> None:
    for figures in told(short, "--scale-demand", "0")[0]["pipelines"].values():
        assert (figures["requests"], figures["failed"], figures["cost_usd"]) == (0, 0, 0)


def test_without_faults_the_same_requests_come(short: Path) -> None:
    (broken,), (whole,) = told(short), told(short, "--no-faults")
    before, after = broken["pipelines"]["image-to-video"], whole["pipelines"]["image-to-video"]
    assert before["requests"] == after["requests"]
    assert before["subnet"] < after["subnet"]
    assert after["recovery_seconds"] is None


def test_table_names_scenarios_pipelines_and_what_surprises(short: Path) -> None:
    ran = simulate(short, "--slots-scale", "0.5")
    assert (ran.returncode, ran.stderr) == (0, "")
    for words in ("short", "text-to-image", "image-to-video", "Oracle's", "Refused", "p95", "Cost $"):
        assert words in ran.stdout
    assert "\x1b" not in ran.stdout
    assert "short, text-to-image: " in ran.stdout


def test_names_are_no_markup(tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(SHORT.format(name="[red]odd[/nope]", rate=1))
    ran = simulate(file)
    assert ran.returncode == 0
    assert "[red]odd[/nope]" in ran.stdout


def test_picture_is_drawn_beside_either_output(tmp_path: Path, short: Path) -> None:
    picture = tmp_path / "out.svg"
    assert told(short, "--plot", picture) == told(short)
    assert ET.parse(picture).getroot().tag.endswith("svg")
    picture.unlink()
    ran = simulate(short, "--plot", picture)
    assert f"Drawn: {picture}" in ran.stdout.replace("\n", "")
    assert picture.exists()


def wrong(directory: Path) -> list[tuple[list[str | Path], str]]:
    """Calls, and what is said about each."""
    good, bad = directory / "good.toml", directory / "bad.toml"
    good.write_text(SHORT.format(name="good", rate=1))
    bad.write_text(SHORT.format(name="bad", rate=1).replace("slots", "slotz", 1))
    return [
        ([good, bad], f"{bad}: pipeline.0."),
        ([good, directory / "none.toml"], "none.toml can't be read (FileNotFoundError)"),
        ([directory], "is a directory: name the files in it"),
        ([good, "--plot", directory / "no" / "a.svg"], "name a file in a directory"),
        ([good, "--plot", directory], "name a file in a directory"),
        ([good, "--scale-demand", "nan"], "--scale-demand nan: give a number from 0"),
        ([good, "--slots-scale", "inf"], "--slots-scale inf: give a number from 0"),
        ([good, "--usd-per-try", "-1"], "--usd-per-try -1: give a number from 0 to 1e+09"),
        ([good, "--scale-demand", "1e9"], "good, as changed: up to"),
    ]


@pytest.mark.parametrize("case", range(9))
@pytest.mark.parametrize("output", [[], ["--json"]])
def test_wrong_call_is_one_line_and_no_output(tmp_path: Path, case: int, output: list[str]) -> None:
    arguments, message = wrong(tmp_path)[case]
    ran = simulate(*arguments, *output)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("spillway: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_without_a_file_the_usage_is_shown() -> None:
    ran = simulate()
    assert ran.returncode == 2
    assert "Usage" in ran.stderr


def test_help_names_every_option() -> None:
    ran = simulate("--help", COLUMNS="200")
    assert ran.returncode == 0
    for option in ("--json", "--plot", "--seed", "--scale-demand", "--slots-scale", "--instances", "--no-faults"):
        assert option in ran.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopped_command_leaves_no_process_behind(tmp_path: Path, sent: signal.Signals) -> None:
    files = [tmp_path / f"{name}.toml" for name in "abc"]
    for file in files:
        file.write_text(SHORT.format(name=file.stem, rate=1).replace("seconds = 300", "seconds = 5e6"))
    # A test run that was begun in the background may ignore Ctrl-C, and what it starts would do so too.
    line = ["env", "--default-signal=INT", SPILLWAY, "simulate", *files]
    command = subprocess.Popen(line, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(3)
    command.send_signal(sent)
    _, complaint = command.communicate(timeout=10)
    assert command.returncode not in (0, None)
    assert b"Traceback" not in complaint
    with pytest.raises(ProcessLookupError):
        _gone(command.pid)


def _gone(group: int) -> None:
    """Raises ProcessLookupError once nobody of the group is left."""
    for _ in range(50):
        os.killpg(group, 0)
        time.sleep(0.1)
