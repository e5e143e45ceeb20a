"""What is written agrees with what is built."""

import re
from pathlib import Path

import pytest

from spillway.domain.inputs import PLACEHOLDERS
from spillway.settings import PREFIX, Settings
from support.front_door import ROOT

SETTINGS = (ROOT / "docs/settings.md").read_text()


def test_every_setting_is_documented_and_no_other() -> None:
    own = {PREFIX + name.upper() for name in Settings.model_fields}
    others = {str(field.validation_alias) for field in Settings.model_fields.values() if field.validation_alias}
    built = {name for name in own if name.removeprefix(PREFIX) not in others} | others
    written = set(re.findall(r"`((?:SPILLWAY|REPLICATE|TENSORDOCK)_[A-Z_]+)`", SETTINGS)) - {PREFIX}
    assert written == built


def test_every_placeholder_is_documented_and_no_other() -> None:
    listed = SETTINGS.partition("Placeholders:")[2].partition("A value")[0]
    assert set(re.findall(r"`\{(\w+)\}`", listed)) == PLACEHOLDERS


def test_no_dependency_is_without_a_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    block = project.partition("dependencies = [")[2].partition("]")[0]
    reasons = (ROOT / "docs/dependencies.md").read_text()
    for name in re.findall(r'"([a-z0-9-]+)', block):
        assert name in reasons


def test_readme_leads_to_every_page() -> None:
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    linked = set(re.findall(r"\]\((docs/[a-z-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == pages


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("terraform/*.md")]))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_pictures_of_the_readme_are_small() -> None:
    shown = set(re.findall(r"!\[[^\]]+\]\((docs/images/[a-z]+\.png)\)", (ROOT / "README.md").read_text()))
    assert shown == {f"docs/images/{picture.name}" for picture in (ROOT / "docs/images").iterdir()}
    assert [picture for picture in shown if (ROOT / picture).stat().st_size > 250_000] == []
