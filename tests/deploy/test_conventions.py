"""What the house asks of Terraform's files beyond what Terraform does."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from google_stand_in.rules import FILE
from support.front_door import ROOT

TERRAFORM = ROOT / "terraform"
FILES = sorted(TERRAFORM.rglob("*.tf"))
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def declared(kind: str, file: Path) -> list[tuple[str, str]]:
    """The variables or outputs of a file: name and body, in the order in which they stand."""
    return [(name, body) for found, name, body in BLOCK.findall(file.read_text()) if found == kind]


@pytest.mark.parametrize("file", [file for file in FILES if file.name == "variables.tf"], ids=lambda f: f.parent.name)
def test_variables_are_sorted_described_and_typed(file: Path) -> None:
    variables = declared("variable", file)
    assert [name for name, _ in variables] == sorted(name for name, _ in variables)
    for name, body in variables:
        assert re.search(r"^  description = \"", body, re.MULTILINE), name
        assert re.search(r"^  type +=|^  type = ", body, re.MULTILINE), name


@pytest.mark.parametrize("file", [file for file in FILES if file.name == "outputs.tf"], ids=lambda f: f.parent.name)
def test_outputs_are_sorted_and_described(file: Path) -> None:
    outputs = declared("output", file)
    assert [name for name, _ in outputs] == sorted(name for name, _ in outputs)
    assert [name for name, body in outputs if "  description = " not in body] == []


def test_the_provider_is_pinned_alike_everywhere() -> None:
    text = "".join(file.read_text() for file in FILES)
    pins = re.findall(r'source  = "(.*?)"\n +version = "(.*?)"', text)
    assert set(pins) == {("hashicorp/google", "~> 6.50")}
    assert len(re.findall(r"required_providers \{", text)) == len(pins)


def test_every_module_is_used() -> None:
    text = "".join(file.read_text() for file in TERRAFORM.glob("*.tf"))
    assert set(re.findall(r'"\./modules/(\w+)"', text)) == {folder.name for folder in (TERRAFORM / "modules").iterdir()}


def test_values_of_every_resource_have_rules() -> None:
    used = {kind for file in FILES for kind in re.findall(r'^resource "(google_\w+)"', file.read_text(), re.MULTILINE)}
    assert used - set(tomllib.loads(FILE.read_text())) == set()


def test_no_secret_is_written_down() -> None:
    for file in (*FILES, *TERRAFORM.rglob("*.tfvars")):
        assert not re.search(r"r8_\w{20}|sw_[0-9a-z]{12}_|AIza\w{20}|BEGIN \w*PRIVATE KEY", file.read_text()), file


def test_nothing_that_is_deployed_is_left_out_of_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("there is no repository here")
    ignored = ["git", "-C", ROOT, "ls-files", "--others", "--ignored", "--exclude-standard", "--"]
    ran = subprocess.run(
        [*ignored, "terraform", "functions", "infra", "shared"], capture_output=True, text=True, check=True
    )
    made = re.compile(r"__pycache__/|\.egg-info/|\.terraform/|\.tfstate")
    assert [name for name in ran.stdout.splitlines() if not made.search(name)] == []
