"""The alerts as they are written down in alerts.toml, each with what docs/operations.md says to do."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUNBOOK = ROOT / "docs/operations.md"
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `query` is asked of Prometheus and `cloud` of Cloud Monitoring; one of the two may be missing.

    `action` is Markdown.
    """

    name: str
    summary: str
    severity: str
    minutes: int
    query: str | None
    cloud: str | None
    action: str

    @property
    def anchor(self) -> str:
        """Where the runbook speaks of it."""
        return f"docs/operations.md#{self.name.lower()}"


def alerts() -> list[Alert]:
    """All of them, in their order. Raises KeyError for one that the runbook is silent about."""
    actions = runbook(RUNBOOK.read_text())
    written = tomllib.loads((HERE / "alerts.toml").read_text())
    return [
        Alert(
            name, one["summary"], one["severity"], one["for"], _line(one.get("query")), _line(one.get("cloud")),
            actions[name],
        )
        for name, one in written.items()
    ]  # fmt: skip


def runbook(text: str) -> Mapping[str, str]:
    """What a runbook says of each alert: the text under its heading of the third level."""
    return {name: body.strip() for name, body in SECTION.findall(text)}


def _line(query: str | None) -> str | None:
    return None if query is None else " ".join(query.split())
