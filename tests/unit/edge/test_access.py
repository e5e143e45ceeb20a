"""What each path needs is decided for each path, and written down."""

import re
from pathlib import Path
from typing import Any

import pytest

from spillway.assembly.gateway import front_door
from spillway.domain.keys import SCOPES
from spillway.domain.pipelines import PIPELINES
from spillway.edge.access import ANY_KEY, need_of
from spillway.settings import Settings
from support.front_door import ROOT

TABLE = (ROOT / "docs/keys.md").read_text()


def paths(tmp_path: Path) -> list[tuple[str, str]]:
    """Every method and path that the front door answers."""
    settings = Settings(auth="keys", state=f"sqlite:///{tmp_path}/state.db", artifacts=f"file://{tmp_path}")
    app: Any = front_door(settings)
    others = app._app._app._others._app.now()
    return [(method, route.path) for route in others.routes for method in route.methods]


def test_every_path_has_been_thought_of(tmp_path: Path) -> None:
    """A path that needs any key does so by name; one that was forgotten would look the same."""
    by_default = {path for method, path in paths(tmp_path) if need_of(method, path) == ANY_KEY}
    assert by_default == {"/v1/models"}


def test_every_path_is_in_the_table_for_people(tmp_path: Path) -> None:
    written = set(re.findall(r"`(?:GET |POST )?(/[^`]*)`", TABLE.partition("| path |")[2].partition("\n\n")[0]))
    begun = tuple(path.removesuffix("...") for path in written if path.endswith("..."))
    for _, path in paths(tmp_path):
        known = path in written or path.startswith(begun) or path.removeprefix("/") in PIPELINES
        assert known, f"{path} is missing in docs/keys.md"


def test_every_scope_is_in_the_table_for_people() -> None:
    for scope in SCOPES:
        pipeline = scope.removeprefix("inference:") in PIPELINES
        assert (f"`{scope}`" in TABLE) or pipeline


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("POST", "/llm", {"inference", "inference:llm", "inference:livepeer", "admin"}),
        ("POST", "/v1/chat/completions", {"inference", "inference:llm", "inference:openai", "admin"}),
        ("GET", "/llm", set()),
        ("HEAD", "/healthz", None),
        ("POST", "/healthz", set()),
        ("GET", "/artifacts/abc.png", None),
        ("POST", "/hooks/replicate", None),
        ("GET", "/jobs/123", {"jobs", "admin"}),
        ("DELETE", "/jobs/123", {"jobs", "admin"}),
        ("GET", "/api/stats", {"read", "admin"}),
        ("POST", "/api/operators", {"admin"}),
        ("GET", "/orchestrators/scores", None),
        ("GET", "/", {"read", "admin"}),
        ("GET", "//", set()),
        ("GET", "/metrics/", set()),
        ("GET", "/Healthz", set()),
    ],
)
def test_a_path_needs(method: str, path: str, need: set[str] | None) -> None:
    assert need_of(method, path) == need
