"""Every `spillway` command that a page tells is one that there is, with options that it has."""

import re
import shlex

import click
import pytest
import typer

from spillway.cli.main import app
from support.front_door import ROOT

PAGES = (
    "README.md",
    "docs/balancer.md",
    "docs/capacity-planning.md",
    "docs/quickstart.md",
    "docs/operations.md",
    "docs/keys.md",
    "docs/policy.md",
    "terraform/README.md",
)
TOLD = re.compile(
    r"(?:^|`|\(|[ /])spillway ((?:policy|keys|redemptions|serve|demo|simulate|loadtest) ?[^`\n|#;)]*)", re.MULTILINE
)


def told() -> list[tuple[str, str]]:
    return [(page, words.strip()) for page in PAGES for words in TOLD.findall((ROOT / page).read_text())]


@pytest.mark.parametrize(("page", "words"), told())
def test_command_is_understood(page: str, words: str) -> None:
    command: click.Command = typer.main.get_command(app)
    context, rest = click.Context(command, info_name="spillway"), shlex.split(words)
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, name
        command, context = found, click.Context(found, info_name=name, parent=context)
        if not rest and isinstance(command, click.Group):
            return
    command.parse_args(context, rest)
