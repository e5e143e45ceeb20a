"""Grafana's dashboards, from dashboards.toml."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.alerts import HERE

SCHEMA_VERSION = 39
WIDTH, WIDE, HIGH, LOW = 24, 12, 8, 5
# Grafana asks for the source of each kind when a dashboard is imported, or takes the default one.
SOURCES = {"prometheus": "${metrics}", "loki": "${logs}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `queries` are expressions by their legend: PromQL, or LogQL where it shows logs."""

    title: str
    unit: str
    queries: Mapping[str, str]
    shows: str = "timeseries"

    @property
    def asks(self) -> str:
        """The kind of its source."""
        return "loki" if self.shows == "logs" else "prometheus"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard, for one reader. `name` is its file's and its uid."""

    name: str
    title: str
    about: str
    panels: Sequence[Panel]


def dashboards() -> list[Dashboard]:
    """All of them."""
    written = tomllib.loads((HERE / "dashboards.toml").read_text())
    return [
        Dashboard(name, one["title"], one["about"], [Panel(**panel) for panel in one["panels"]])
        for name, one in written.items()
    ]


def grafana(dashboard: Dashboard) -> str:
    """As Grafana reads it."""
    asked = dict.fromkeys(panel.asks for panel in dashboard.panels)
    body = {
        "uid": f"spillway-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["spillway"],
        "schemaVersion": SCHEMA_VERSION,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(kind) for kind in asked]},
        "panels": list(_placed(dashboard.panels)),
    }
    return json.dumps(body, indent=2) + "\n"


def _source(kind: str) -> dict[str, Any]:
    return {"name": SOURCES[kind].strip("${}"), "type": "datasource", "query": kind}


def _placed(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """Two beside each other; logs have a row to themselves."""
    x = y = 0
    for number, panel in enumerate(panels, 1):
        width = WIDTH if panel.shows == "logs" else WIDE
        high = LOW if panel.shows == "stat" else HIGH
        if x + width > WIDTH:
            x, y = 0, y + HIGH
        yield _panel(number, panel, {"x": x, "y": y, "w": width, "h": high})
        x += width


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    source = {"type": panel.asks, "uid": SOURCES[panel.asks]}
    return {
        "id": number,
        "type": panel.shows,
        "title": panel.title,
        "gridPos": place,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": source, "expr": text, "legendFormat": legend}
            for place, (legend, text) in enumerate(panel.queries.items())
        ],
    }
