"""`make audit`: what is known against the locked packages.

    python -m supply_chain.audit [REQUIREMENTS ...]

Ends with 0 where a database was asked for every package and knows nothing, with 1 where it knows something, and with 2
where none could be asked: pip-audit itself ends with 0 then, as a package that its index doesn't know is passed over.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supply_chain import requirements

PIP_AUDIT = Path(sys.executable).with_name("pip-audit")
CLEAN, WEAK, UNKNOWN = 0, 1, 2


@dataclass
class Audit:
    """What a database said about a file."""

    asked: int = 0
    passed_over: int = 0
    weaknesses: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether it was asked about everything."""
        return self.asked > 0 and not self.passed_over


def audit(file: Path, *options: str) -> Audit:
    """Ask a database about a requirements file; `options` choose it."""
    fixed = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    ran = subprocess.run(
        [PIP_AUDIT, *fixed, *options, "--requirement", file], capture_output=True, text=True, check=False
    )
    try:
        dependencies: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except ValueError:
        return Audit()
    return Audit(
        asked=sum("vulns" in one for one in dependencies),
        passed_over=sum("skip_reason" in one for one in dependencies),
        weaknesses=[_weakness(one, known) for one in dependencies for known in one.get("vulns", [])],
    )


def _weakness(dependency: dict[str, Any], known: dict[str, Any]) -> str:
    mended = ", ".join(known["fix_versions"]) or "no release"
    return f"{dependency['name']} {dependency['version']}: {known['id']}, mended in {mended}"


def report(file: Path, databases: Sequence[Sequence[str]]) -> int:
    """Ask one database after the other until one knows all packages; say what it said."""
    shown = os.path.relpath(file)
    for options in databases:
        said = audit(file, *options)
        for weakness in said.weaknesses:
            sys.stdout.write(f"{shown}: {weakness}\n")
        if said.weaknesses:
            return WEAK
        if said.whole:
            sys.stdout.write(f"{shown}: nothing is known against {said.asked} packages\n")
            return CLEAN
    sys.stdout.write(f"{shown}: NOT CHECKED: no database of weaknesses can be reached, or none knows its packages\n")
    return UNKNOWN


def main() -> None:
    """Audit the files that are named, or those of all functions and of development."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("files", nargs="*", type=Path, metavar="REQUIREMENTS")
    line.add_argument("--osv-url", help="ask this instance of OSV alone")
    options = line.parse_args()
    services = [["--vulnerability-service", "pypi"], ["--vulnerability-service", "osv"]]
    if options.osv_url:
        services = [["--vulnerability-service", "osv", "--osv-url", options.osv_url]]
    files = options.files or [*requirements.distinct(), requirements.LOCK]
    outcomes = [report(file, services) for file in files]
    sys.exit(WEAK if WEAK in outcomes else max(outcomes))


if __name__ == "__main__":
    main()
