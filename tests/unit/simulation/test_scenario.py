"""Scenario files are read as they are written, and a wrong one says what to change."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.errors import BadSettings
from spillway.simulation.scenario import FaultWindow, Scenario, load_scenario

BROWNOUT = """\
name = "brownout"
seed = 7
seconds = 3600
instances = 4                         # stateless front-door instances
state_delay = 2.0                     # seconds until one instance's news reach another

[[pipeline]]
name = "image-to-video"
arrivals = [[0, 0.05], [1800, 0.4]]   # [second, requests per second], Poisson, linear in between
service = { median = 35.0, sigma = 0.3 }          # lognormal, seconds
slots = [[0, 6], [600, 9]]            # [second, orchestrator slots], a step function
refusal = 2.0                         # seconds until a 503 when no slot is free
faults = [{ from = 1200, to = 1500, kind = "hang", probability = 0.5 }]
fallback = { seconds = 40.0, cold_start = 30.0, usd_per_job = 0.06, usd_per_warm_second = 0.001 }
prices = { per_try = 0.0005, per_second = 0.0002 }      # optional, default 0 and 0
"""

SMALLEST = """\
name = "smallest"
seconds = 60

[[pipeline]]
name = "text-to-image"
arrivals = [[0, 1]]
service = { median = 4.0 }
slots = [[0, 2]]
"""


def read(directory: Path, text: str) -> Scenario:
    file = directory / "scenario.toml"
    file.write_text(text, encoding="utf-8")
    return load_scenario(file)


def test_every_value_of_a_file_is_read(tmp_path: Path) -> None:
    scenario = read(tmp_path, BROWNOUT)
    (load,) = scenario.pipelines
    assert (scenario.name, scenario.seed, scenario.seconds) == ("brownout", 7, 3600)
    assert (scenario.instances, scenario.state_delay) == (4, 2.0)
    assert load.name == "image-to-video"
    assert load.arrivals == ((0, 0.05), (1800, 0.4))
    assert (load.service.median, load.service.sigma) == (35.0, 0.3)
    assert load.slots == ((0, 6), (600, 9))
    assert load.refusal == 2.0
    assert load.faults == (FaultWindow(begin=1200, end=1500, kind="hang", probability=0.5),)
    assert (load.fallback.seconds, load.fallback.cold_start) == (40.0, 30.0)
    assert (load.fallback.usd_per_job, load.fallback.usd_per_warm_second) == (0.06, 0.001)
    assert (load.prices.per_try, load.prices.per_second) == (0.0005, 0.0002)


def test_what_a_file_may_leave_out_has_a_default(tmp_path: Path) -> None:
    scenario = read(tmp_path, SMALLEST)
    (load,) = scenario.pipelines
    assert (scenario.seed, scenario.instances, scenario.state_delay) == (0, 1, 0.0)
    assert (load.refusal, load.faults) == (2.0, ())
    assert (load.prices.per_try, load.prices.per_second) == (0.0, 0.0)


@pytest.mark.parametrize(("name", "deadline_s"), [("text-to-image", 120.0), ("image-to-video", 300.0)])
def test_videos_may_take_longer_before_they_have_failed(tmp_path: Path, name: str, deadline_s: float) -> None:
    assert read(tmp_path, SMALLEST.replace("text-to-image", name)).pipelines[0].deadline_s == deadline_s


WRONG = {
    "no length": ("seconds = 60\n", "", "seconds: Field required"),
    "no time at all": ("seconds = 60", "seconds = 0", "seconds: Input should be greater than 0"),
    "for ever": ("seconds = 60", "seconds = inf", "seconds: Input should be a finite number"),
    "words for a number": ("seconds = 60", 'seconds = "long"', "seconds: Input should be a valid number"),
    "a misspelt key": ("seconds", "second = 1\nseconds", "second: there is no such key, did you mean 'seconds'?"),
    "a key of another table": (
        "median = 4.0",
        "median = 4.0, usd_per_jobs = 1",
        "pipeline.0.service.usd_per_jobs: there is no such key, did you mean 'usd_per_job'?",
    ),
    "a flood": ("[[0, 1]]", "[[0, 1e12]]", "up to 6e+13 requests would come, 1e+07 can be played"),
    "nobody serves": (
        "seconds = 60",
        "seconds = 60\ninstances = 0",
        "instances: Input should be greater than or equal",
    ),
    "half a seed": ("seconds = 60", "seconds = 60\nseed = 1.5", "seed: Input should be a valid integer"),
    "no arrivals": ("[[0, 1]]", "[]", "pipeline.0.arrivals: needs at least one [second, value]"),
    "a negative rate": (
        "[[0, 1]]",
        "[[0, -1]]",
        "pipeline.0.arrivals: seconds and values must be finite, values not neg",
    ),
    "backwards": ("[[0, 1]]", "[[5, 1], [2, 3]]", "pipeline.0.arrivals: the seconds must rise"),
    "not a number": ("[[0, 1]]", "[[0, nan]]", "pipeline.0.arrivals.0.1: Input should be a finite number"),
    "a bare point": ("[[0, 1]]", "[0, 1]", "pipeline.0.arrivals.0: "),
    "endless slots": ("[[0, 2]]", "[[0, inf]]", "pipeline.0.slots.0.1: Input should be a finite number"),
    "no time to serve": ("median = 4.0", "median = 0", "pipeline.0.service.median: Input should be greater than 0"),
    "no service": ("service = { median = 4.0 }\n", "", "pipeline.0.service: Field required"),
    "no name": ('"text-to-image"', '""', "pipeline.0.name: String should have at least 1 character"),
    "a table of its own": ("[[pipeline]]", "[pipeline]", "pipeline: "),
    "an unknown fault": (
        "slots =",
        'faults = [{ from = 1, to = 3, kind = "flood" }]\nslots =',
        "pipeline.0.faults.0.kind: Input should be 'hang', 'error', 'refuse', 'reset', 'slow' or 'outage'",
    ),
    "a fault that ends before it begins": (
        "slots =",
        'faults = [{ from = 9, to = 3, kind = "hang" }]\nslots =',
        "pipeline.0.faults.0: `to` must not be before `from`",
    ),
    "more than certain": (
        "slots =",
        'faults = [{ from = 1, to = 3, kind = "hang", probability = 12 }]\nslots =',
        "pipeline.0.faults.0.probability: Input should be less than or equal to 1",
    ),
    "not TOML": ('"smallest"', "smallest", "is not TOML: Invalid value (at line 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_file_names_the_key_and_what_to_change(tmp_path: Path, case: str) -> None:
    old, new, message = WRONG[case]
    with pytest.raises(BadSettings) as raised:
        read(tmp_path, SMALLEST.replace(old, new, 1))
    assert message in str(raised.value)
    assert str(tmp_path / "scenario.toml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_two_pipelines_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="two pipelines have the same name"):
        read(tmp_path, SMALLEST + "[[pipeline]]" + SMALLEST.partition("[[pipeline]]")[2])


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "scenario.toml"
    if content:
        file.write_bytes(content)
    with pytest.raises(BadSettings, match=r"scenario\.toml can't be read"):
        load_scenario(file)


numbers = st.floats(min_value=0, max_value=1e6)
above_zero = st.floats(min_value=1e-6, max_value=1e6)
shares = st.floats(min_value=0, max_value=1)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
kinds = st.sampled_from(["hang", "error", "refuse", "reset", "slow", "outage"])


def curves(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[tuple[float, float]]]:
    """Values at seconds that rise."""
    return st.lists(st.tuples(numbers, values), min_size=1, max_size=5).map(
        lambda points: list(zip(sorted(second for second, _ in points), (value for _, value in points), strict=True))
    )


windows = st.tuples(numbers, numbers, kinds, shares).map(
    lambda drawn: {"from": min(drawn[:2]), "to": max(drawn[:2]), "kind": drawn[2], "probability": drawn[3]}
)
loads = st.fixed_dictionaries(
    {
        "name": words,
        "arrivals": curves(st.floats(min_value=0, max_value=3)),
        "service": st.fixed_dictionaries({"median": above_zero, "sigma": st.floats(min_value=0, max_value=4)}),
        "slots": curves(numbers),
    },
    optional={
        "refusal": numbers,
        "faults": st.lists(windows, max_size=3),
        "fallback": st.fixed_dictionaries(
            {"seconds": above_zero},
            optional={"cold_start": numbers, "usd_per_job": numbers, "usd_per_warm_second": numbers},
        ),
        "prices": st.fixed_dictionaries({}, optional={"per_try": numbers, "per_second": numbers}),
        "deadline": above_zero,
    },
)
scenarios = st.fixed_dictionaries(
    {
        "name": words,
        "seconds": above_zero,
        "pipeline": st.lists(loads, min_size=1, max_size=3, unique_by=lambda load: str(load["name"])),
    },
    optional={
        "seed": st.integers(min_value=-(2**63), max_value=2**63 - 1),
        "instances": st.integers(min_value=1, max_value=256),
        "state_delay": numbers,
    },
)


def toml(value: Any) -> str:
    """A value as TOML, tables in line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(scenarios)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, written: dict[str, Any]) -> None:
    text = "".join(f"{key} = {toml(value)}\n" for key, value in written.items())
    scenario = read(tmp_path_factory.getbasetemp(), text)
    assert scenario == Scenario.model_validate(written)
    again = scenario.model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert (
        read(tmp_path_factory.getbasetemp(), "".join(f"{key} = {toml(one)}\n" for key, one in again.items()))
        == scenario
    )
