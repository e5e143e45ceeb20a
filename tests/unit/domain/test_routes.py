"""The routes file."""

from importlib import resources

import pytest

from spillway.domain.pipelines import PIPELINES
from spillway.domain.routes import Routes, RoutesFile, parse_routes, with_builtin
from spillway.errors import BadSettings

BUILTIN = parse_routes(resources.files("spillway").joinpath("builtin_routes.toml").read_text(), source="built-in")


def test_every_pipeline_has_a_builtin_route_with_a_fallback() -> None:
    routes = with_builtin(RoutesFile(), BUILTIN)
    for name, pipeline in PIPELINES.items():
        assert routes.find(name, pipeline.default_model).fallbacks
        assert routes.find(name, "somebody/else").fallbacks


def test_named_pipeline_replaces_its_builtin_routes_and_no_other() -> None:
    own = parse_routes('[[routes]]\npipeline = "llm"\nsubnet_timeout = 3', source="own")
    routes = with_builtin(own, BUILTIN)
    assert routes.find("llm", "any").subnet_timeout == 3
    assert routes.find("llm", "any").fallbacks == ()
    assert routes.find("upscale", "any").fallbacks


def test_models_own_route_wins_over_the_star() -> None:
    text = '[[routes]]\npipeline = "llm"\n[[routes]]\npipeline = "llm"\nmodel = "a/b"\ndeadline = 9'
    routes = Routes({}, parse_routes(text, source="own").routes)
    assert routes.find("llm", "a/b").deadline == 9
    assert routes.find("llm", "c/d").model == "*"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[routes", "own is not TOML"),
        ('[[routes]]\npipeline = "text-to-imag"', "did you mean 'text-to-image'"),
        ('[[routes]]\npipeline = "llm"\ndeadline = -1', "deadline: Input should be greater than 0"),
        ('[[routes]]\npipeline = "llm"\ndeadline = inf', "finite"),
        ('[[routes]]\npipeline = "llm"\ntimeout = 1', "timeout: Extra inputs"),
        ('[providers.x]\nkind = "azure"', "providers.x.kind"),
        (
            '[[routes]]\npipeline = "llm"\nfallbacks = [{provider="r", model="m", input={p="{promt}"}}]',
            "did you mean {prompt}",
        ),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(BadSettings, match="own") as caught:
        parse_routes(text, source="own")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fallback_of_an_unknown_provider_is_a_mistake() -> None:
    own = parse_routes('[[routes]]\npipeline = "llm"\nfallbacks = [{provider="x", model="m"}]', source="own")
    with pytest.raises(BadSettings, match=r"no \[providers.x\] table"):
        with_builtin(own, BUILTIN)
