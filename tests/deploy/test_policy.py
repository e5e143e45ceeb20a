"""Checkov's policies for Terraform: none is broken, and each exception has its reason beside it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.front_door import ROOT

CHECKOV = ROOT / ".venv-checkov/bin/checkov"


@pytest.fixture(scope="module")
def scan() -> dict[str, Any]:
    """The report over `terraform/`. CI has checkov; elsewhere `make test` brings it."""
    if not CHECKOV.exists() and os.environ.get("CI") == "true":
        pytest.fail("checkov is missing: make test installs it")
    if not CHECKOV.exists():
        pytest.skip("checkov is missing: make test installs it")
    ran = subprocess.run(
        [CHECKOV, "--directory", ROOT / "terraform", "--framework", "terraform", "--skip-download", "--output", "json"],
        env={"PATH": os.defpath, "LOG_LEVEL": "ERROR", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def test_no_policy_is_broken(scan: dict[str, Any]) -> None:
    broken = [f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in scan["results"]["failed_checks"]]
    assert broken == []
    assert scan["results"]["parsing_errors"] == []
    assert scan["summary"]["passed"] > 0


def test_each_exception_has_a_reason_and_is_needed(scan: dict[str, Any]) -> None:
    used = {(one["check_id"], one["check_result"]["suppress_comment"]) for one in scan["results"]["skipped_checks"]}
    text = "".join(file.read_text() for file in (ROOT / "terraform").rglob("*.tf"))
    written = {(check, reason.strip()) for check, reason in re.findall(r"checkov:skip=(\w+):(.*)", text)}
    assert {(check, reason.strip()) for check, reason in used} == written
    assert all(len(reason.strip()) > 20 for _, reason in written)
