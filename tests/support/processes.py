"""The command `spillway` in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SPILLWAY = Path(sys.executable).with_name("spillway")
ENDED_S = 100


def spillway(*args: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """One call of it to its end, whatever that is."""
    return subprocess.run(
        [SPILLWAY, *args], env=environment(settings), capture_output=True, text=True, check=False, timeout=ENDED_S
    )


def told(*args: str | Path, **settings: str) -> Any:
    """What it prints with --json."""
    ran = spillway(*args, "--json", **settings)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """These settings, and no others that somebody may have set here."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SPILLWAY_", "REPLICATE_"))}
    return {**clean, **settings}
