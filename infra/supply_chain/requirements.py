"""The locked requirements of the functions, and environments that hold nothing else."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import bundle

UV = Path(sys.executable).with_name("uv")
LOCK = bundle.ROOT / "requirements.lock"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def of_function(name: str) -> Path:
    """The requirements that Google's buildpack installs for a function."""
    return bundle.ROOT / "functions" / name / "requirements.txt"


def pinned(requirements: Path) -> dict[str, str]:
    """Packages and their versions."""
    return dict(_PINNED.findall(requirements.read_text()))


def distinct() -> dict[Path, list[str]]:
    """The requirements files that differ, each with the functions that share it."""
    by_content: dict[str, list[str]] = {}
    for name in bundle.names():
        digest = hashlib.sha256(of_function(name).read_bytes()).hexdigest()
        by_content.setdefault(digest, []).append(name)
    return {of_function(names[0]): names for names in by_content.values()}


def install(requirements: Path, into: Path) -> Path:
    """An environment that holds these packages and nothing else; gives its interpreter."""
    python = into / "bin/python"
    subprocess.run([UV, "venv", "--quiet", "--clear", "--python", sys.executable, into], check=True)
    options = ["--quiet", "--require-hashes", "--no-deps", "--python", python, "--requirement", requirements]
    subprocess.run([UV, "pip", "install", *options], check=True)
    return python
