"""The picture of played scenarios."""

import math
import random
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.drawing.axes import timeline, upright
from spillway.simulation.played import Sample
from spillway.simulation.plot import LARGEST, plot
from spillway.simulation.series import gauge, rates
from support.simulated import played, sample, scenario

SVG = "{http://www.w3.org/2000/svg}"
SERIES = {
    "slots",
    "busy",
    "busy-spread",
    "limit",
    "waiting",
    "subnet",
    "fallback",
    "failed",
    "hourly",
    "total",
    "refused",
}
MINUTE = [sample(float(second)) for second in range(61)]


def drawn(*samples: Sample, names: tuple[str, ...] = ()) -> ET.Element:
    one = scenario(*names)
    text = plot([(one, played(one, list(samples)))])
    assert not re.search(r"\b(nan|inf|infinity)\b", text, re.IGNORECASE)
    return ET.fromstring(text)


def kinds(picture: ET.Element) -> set[str]:
    """The series that are drawn, apart from their keys in the legend."""
    paths = [path for path in picture.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]
    return {path.attrib["class"] for path in paths}


def words(picture: ET.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def test_every_series_is_drawn_and_named() -> None:
    picture = drawn(*MINUTE)
    assert kinds(picture) == SERIES
    named = words(picture)
    for name in ("slots", "in flight", "limit", "waiting", "refused", "subnet", "fallback", "failed"):
        assert name in named
    assert {"in all (left)", "an hour (right)", "time, s", "Spend on hosted inference, USD"} <= set(named)


def test_each_pipeline_has_a_column_and_each_scenario_a_title() -> None:
    two, one = scenario("text-to-image", "image-to-video"), scenario("upscale")
    picture = ET.fromstring(plot([(two, played(two, MINUTE)), (one, played(one, MINUTE))]))
    named = words(picture)
    assert {"text-to-image", "image-to-video", "upscale"} <= set(named)
    assert named.count("by hand") == 2
    assert named.count("Jobs on the subnet") == 3


def test_columns_share_the_time_axis() -> None:
    two = scenario("text-to-image", "image-to-video")
    run = played(two, MINUTE)
    run.samples["image-to-video"] = [sample(0.0), sample(30.0)]
    marks = words(ET.fromstring(plot([(two, run)])))
    assert marks.count("60") >= 2


@pytest.mark.parametrize("samples", [[], MINUTE[:1], MINUTE[30:31], [sample(0.0), sample(0.0)], [sample(60.0)]])
def test_few_samples_make_a_picture_too(samples: list[Sample]) -> None:
    assert {"slots", "limit"} <= kinds(drawn(*samples)) if samples else not kinds(drawn())


def test_no_scenario_makes_an_empty_picture() -> None:
    assert ET.fromstring(plot([])).tag == f"{SVG}svg"


def test_limit_that_is_not_finite_is_left_out() -> None:
    samples = [sample(float(second), limit=math.inf if second % 2 else math.nan) for second in range(10)]
    assert kinds(drawn(*samples)) == SERIES - {"limit", "failed", "refused"}


def test_what_never_happened_is_not_drawn() -> None:
    idle = [sample(float(second), subnet=0, fallback=0, failed=0, usd=0.0, refused=0) for second in range(61)]
    assert not kinds(drawn(*idle)) & {"subnet", "fallback", "failed", "hourly", "refused"}


def test_faults_are_shaded_and_named_once_for_one_time() -> None:
    faults = [
        {"from": 10, "to": 20, "kind": "hang", "probability": 0.12},
        {"from": 10, "to": 20, "kind": "error", "probability": 1},
        {"from": 30, "to": 40, "kind": "reset", "probability": 0},
    ]
    one = scenario(faults=faults)
    picture = ET.fromstring(plot([(one, played(one, MINUTE))]))
    assert "hang 12 %, error" in words(picture)
    assert not any("reset" in word for word in words(picture))
    assert len([rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") == "fault"]) == 3


def test_names_cannot_break_the_picture() -> None:
    one = scenario('<b>&"\x00\x0b\ufffe')
    picture = ET.fromstring(plot([(one, played(one, MINUTE))]))
    assert any(word.startswith('<b>&"') for word in words(picture))


def test_many_scenarios_stay_small_enough_for_a_page() -> None:
    chance = random.Random(1)
    busy = [
        sample(0.1 * n, slots=chance.randint(1, 30), in_flight=chance.randint(0, 30), limit=30 * chance.random())
        for n in range(601)
    ]
    two = scenario("text-to-image", "image-to-video")
    text = plot([(two, played(two, busy))] * 13)
    assert len(text.encode()) < LARGEST
    assert kinds(ET.fromstring(text)) == SERIES


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=300), st.integers(1, 40))
def test_thinning_keeps_the_lowest_and_the_highest(values: list[float], most: int) -> None:
    samples = [sample(float(place), limit=value) for place, value in enumerate(values)]
    kept = [height for _, height in gauge(samples, lambda one: one.limit, len(values), most)]
    assert (min(kept), max(kept)) == (min(values), max(values))
    assert len(kept) <= 4 * (most + 1)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=100), st.floats(min_value=0.3, max_value=150))
def test_rates_add_up_to_the_total(grown: list[int], step_s: float) -> None:
    totals = [sum(grown[: place + 1]) for place in range(len(grown))]
    samples = [sample(place + 1.0, subnet=total) for place, total in enumerate(totals)]
    span_s = float(len(grown))
    found = rates(samples, lambda one: one.subnet, span_s, step_s)
    lengths = [min(step_s, span_s - place * step_s) for place in range(len(found))]
    assert sum(rate * length for rate, length in zip(found, lengths, strict=True)) == pytest.approx(totals[-1])


@given(st.floats(min_value=0, max_value=1e12), st.integers(2, 8))
def test_an_upright_axis_reaches_its_highest_value_in_few_marks(top: float, most: int) -> None:
    axis = upright(top, 100.0, 0.0, most=most)
    assert axis.top >= top * (1 - 1e-6)
    assert 2 <= len(axis.marks()) <= most + 2
    assert (axis(0.0), axis(axis.top)) == (100.0, 0.0)


@given(st.floats(min_value=1e-3, max_value=1e8), st.integers(2, 20))
def test_a_time_axis_never_has_more_marks_than_fit(span_s: float, most: int) -> None:
    assert len(timeline(span_s, 0.0, 1.0, most=most).marks()) <= most + 1
