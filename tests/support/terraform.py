"""Terraform against the stand-in provider, on a copy of the configuration, so that no test leaves a trace."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bundle
from google_stand_in import StandIn
from support.front_door import ROOT

# What `terraform apply` says to Google's command line, and for how long it waits, is written down here.
COMMANDS = {name: f'#!/bin/sh\necho "{name} $*" >> "$SAID"\n' for name in ("gcloud", "sleep")}


@dataclass(frozen=True)
class Terraform:
    """The binary, its environment, and the folder that holds `terraform/` and `build/`."""

    binary: str
    environment: dict[str, str]
    folder: Path

    def run(self, where: str, *arguments: str, code: int = 0) -> str:
        """Run it in a folder of `terraform/`; fails unless it ends with this code."""
        ran = subprocess.run(
            [self.binary, f"-chdir={self.folder / 'terraform' / where}", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert code == ran.returncode, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr

    def fresh(self, where: str) -> str:
        """Initialise a folder; gives its name back."""
        self.run(where, "init", "-no-color")
        return where

    def json(self, where: str, *arguments: str) -> Any:
        """What `terraform show -json` tells of a plan's file, or of the state."""
        return json.loads(self.run(where, "show", "-json", *arguments))

    def unpacked(self, name: str) -> Path:
        """The bundle of a function, unpacked."""
        into = self.folder / "unpacked" / name
        with zipfile.ZipFile(self.folder / "build" / f"{name}.zip") as archive:
            archive.extractall(into)
        return into

    @property
    def said(self) -> list[str]:
        """The commands that were given beside it so far."""
        file = Path(self.environment["SAID"])
        return file.read_text().splitlines() if file.exists() else []


def resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every resource of a state's module and of those inside it."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Terraform beside the stand-in. CI has it; elsewhere tests without it are skipped."""
    binary = shutil.which("terraform")
    if not binary and os.environ.get("CI") == "true":
        pytest.fail("terraform is missing")
    if not binary:
        pytest.skip("terraform is missing")
    folder = tmp_path_factory.mktemp("deploy")
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "backend.tf")
    shutil.copytree(ROOT / "terraform", folder / "terraform", ignore=ignored)
    for name in bundle.names():
        bundle.bundle(name, folder / "build")
    commands = folder / "bin"
    commands.mkdir()
    for name, script in COMMANDS.items():
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    text = "".join(file.read_text() for file in (ROOT / "terraform").rglob("*.tf"))
    with StandIn(set(re.findall(r'"(google_\w+)"', text))) as stand_in:
        path = f"{commands}{os.pathsep}{os.environ['PATH']}"
        said = str(folder / "said")
        yield Terraform(binary, {**os.environ, **stand_in.environment, "PATH": path, "SAID": said}, folder)
