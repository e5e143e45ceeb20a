"""Prometheus' own checker of rules and expressions, and what a PromQL expression asks for."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

SELECTOR = re.compile(r"\b([a-z]\w*_\w+)(?:\{([^}]*)\})?(?!\w*\()")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")
# Prometheus adds these by itself.
OF_PROMETHEUS = {"job", "instance"}


def promtool(*arguments: str | Path) -> str:
    """What it says; fails where it finds a fault. CI has it; elsewhere tests without it are skipped."""
    if not shutil.which("promtool"):
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing")
        pytest.skip("promtool is missing (Debian's package prometheus)")
    ran = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def check_expressions(expressions: Iterable[str], folder: Path) -> None:
    """Fails for an expression that is no PromQL."""
    rules = [{"record": f"expression:{n}", "expr": text} for n, text in enumerate(expressions)]
    file = folder / "expressions.json"
    file.write_text(json.dumps({"groups": [{"name": "expressions", "rules": rules}]}))
    promtool("check", "rules", file)


def asked_for(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The house's metrics that an expression asks for, each with the labels that it is asked for by."""
    grouped = {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",") if label.strip()}
    for name, matchers in SELECTOR.findall(expression):
        if name.startswith("spillway_"):
            yield name, {*MATCHER.findall(matchers), *grouped} - OF_PROMETHEUS
