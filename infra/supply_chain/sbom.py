"""`make sbom`: for every function a bill of materials (CycloneDX, JSON) of what is installed for it, and the licences.

    python -m supply_chain.sbom [--into build/sbom]

A bill is made from an environment that holds the function's hashed requirements alone. Equal requirements give equal
bytes: times and random numbers are left out.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import bundle
from supply_chain import licences, requirements

CYCLONEDX = Path(sys.executable).with_name("cyclonedx-py")


def write(python: Path, to: Path) -> Path:
    """The bill of an environment."""
    to.parent.mkdir(parents=True, exist_ok=True)
    options = ["--output-reproducible", "--short-PURLs", "--no-validate", "--pyproject", bundle.ROOT / "pyproject.toml"]
    made = subprocess.run([CYCLONEDX, "environment", *options, python], stdout=subprocess.PIPE, check=True)
    bill = json.loads(made.stdout)
    for component in bill["components"]:
        component.setdefault("licenses", _concluded(component["name"].lower()))
    to.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")
    return to


def _concluded(package: str) -> list[dict[str, str]]:
    """The licence of a package that gives no name that the tool knows."""
    expression = licences.licence(package)
    return [{"acknowledgement": "concluded", "expression": expression}] if expression else []


def main() -> None:
    """Write all of them, and docs/licences.md."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("--into", type=Path, default=bundle.ROOT / "build/sbom")
    into: Path = line.parse_args().into
    with tempfile.TemporaryDirectory() as folder:
        for number, (file, names) in enumerate(requirements.distinct().items()):
            first = write(requirements.install(file, Path(folder) / str(number)), into / f"{names[0]}.cdx.json")
            for name in names[1:]:
                shutil.copyfile(first, into / f"{name}.cdx.json")
    licences.PAGE.write_text(licences.page())
    sys.stdout.write(f"{into}: {', '.join(bundle.names())}\n{licences.PAGE}\n")


if __name__ == "__main__":
    main()
