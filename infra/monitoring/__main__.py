"""Writes what is made from the definitions: `make monitoring`."""

from collections.abc import Mapping
from pathlib import Path

from monitoring.alerts import HERE, ROOT, alerts
from monitoring.dashboards import dashboards, grafana
from monitoring.rules import prometheus_rules, terraform_alerts


def made() -> Mapping[Path, str]:
    """Each file, and what is to be in it."""
    known = alerts()
    return {
        HERE / "prometheus/rules.yml": prometheus_rules(known),
        ROOT / "terraform/alerts.json": terraform_alerts(known),
        **{HERE / f"grafana/{one.name}.json": grafana(one) for one in dashboards()},
    }


if __name__ == "__main__":
    for file, text in made().items():
        file.write_text(text)
