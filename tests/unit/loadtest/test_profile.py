"""Profiles of load tests are read strictly."""

from pathlib import Path

import pytest

from spillway.errors import BadSettings
from spillway.loadtest.arrivals import arrivals
from spillway.loadtest.profile import BUILT_IN, load_profile

QUICK = """
name = "quick"
rise = { rate = 2, seconds = 5 }
pipeline = [{ name = "text-to-image", weight = 3 }, { name = "llm" }]
"""


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "profile.toml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_profiles_are_whole(name: str) -> None:
    assert {load.name for load in load_profile(name).pipeline} == {"text-to-image", "image-to-video"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("llm", "lllm", "pipeline.1.name: is no pipeline; the pipelines are text-to-image"),
        ("rate = 2", "rate = 0", "rise.rate: Input should be greater than 0"),
        ("rate = 2", "rate = inf", "rise.rate: Input should be a finite number"),
        ("seconds = 5", "seconds = 5, ramp = 5", "rise: `ramp` must be shorter than `seconds`"),
        ("weight", "wait", "pipeline.0.wait: Extra inputs are not permitted"),
        ("name =", "name", "is not TOML"),
    ],
)
def test_a_wrong_profile_is_refused_with_the_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(BadSettings) as refused:
        load_profile(written(tmp_path, QUICK.replace(old, new, 1)))
    assert said in str(refused.value)


def test_a_profile_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(BadSettings, match="use low or high, or name a TOML file that exists"):
        load_profile("medium")


def test_arrivals_come_at_the_rate_and_in_the_parts_that_are_asked_for(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, QUICK))
    came = list(arrivals(profile, (10.0, 0.0), (110.0, 40.0), "ramp"))
    times = [at for at, _ in came]
    assert times == sorted(times)
    assert times[0] > 10.0
    assert times[-1] < 110.0
    assert 1800 < len(came) < 2200
    assert 0.2 < sum(at < 60.0 for at in times) / len(came) < 0.3
    assert 0.7 < sum(load.name == "text-to-image" for _, load in came) / len(came) < 0.8


def test_the_same_seed_gives_the_same_arrivals_and_another_others(tmp_path: Path) -> None:
    profile = load_profile(written(tmp_path, QUICK))
    again, other = profile.model_copy(), profile.model_copy(update={"seed": 1})
    first, second, third = (list(arrivals(one, (0.0, 5.0), (9.0, 5.0), "step")) for one in (profile, again, other))
    assert first == second
    assert first != third
