"""The scenarios that come with the house."""

from pathlib import Path
from typing import Any

import pytest

from spillway.simulation.scenario import load_scenario
from support.front_door import ROOT
from support.processes import told

FILES = sorted((ROOT / "infra/scenarios").glob("*.toml"))
PICTURE_USD, VIDEO_USD = 0.003, 0.06


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """What the real policy makes of all scenarios, by name."""
    return {one["name"]: one["pipelines"] for one in told("simulate", *FILES)}


def test_there_are_a_dozen_of_them_and_their_names_differ() -> None:
    assert len(FILES) >= 12
    assert len({load_scenario(file).name for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario_says_what_it_shows(file: Path) -> None:
    comment = file.read_text().partition("\n\n")[0]
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert "Shows " in comment


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_hosted_inference_has_its_real_price(file: Path) -> None:
    for load in load_scenario(file).pipelines:
        assert load.fallback.usd_per_job == (VIDEO_USD if load.is_video else PICTURE_USD)


def test_gif_competition_has_about_the_demand_of_the_day(outcomes: dict[str, dict[str, Any]]) -> None:
    played = outcomes["gif competition"]
    assert played["text-to-image"]["requests"] == pytest.approx(192, abs=2)
    assert played["image-to-video"]["requests"] == pytest.approx(119, abs=2)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_user_is_left_without_an_answer(file: Path, outcomes: dict[str, dict[str, Any]]) -> None:
    for figures in outcomes[load_scenario(file).name].values():
        assert figures["failed"] == 0
        assert figures["subnet"] + figures["fallback"] == figures["requests"] > 0
