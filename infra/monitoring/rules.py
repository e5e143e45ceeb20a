"""The alerts as rules of Prometheus, and as what Terraform makes alert policies of."""

import json
from collections.abc import Iterable

from monitoring.alerts import Alert

EVERY_S = 30
MADE = "# Made from infra/monitoring/alerts.toml by `make monitoring`.\n"


def prometheus_rules(alerts: Iterable[Alert]) -> str:
    """A rule file. Strings of JSON are strings of YAML."""
    rules = "".join(_rule(alert, alert.query) for alert in alerts if alert.query)
    return f"{MADE}groups:\n  - name: spillway\n    interval: {EVERY_S}s\n    rules:\n{rules}"


def _rule(alert: Alert, query: str) -> str:
    return (
        f"      - alert: {alert.name}\n"
        f"        expr: {json.dumps(query)}\n"
        f"        for: {alert.minutes}m\n"
        f"        labels:\n          severity: {alert.severity}\n"
        f"        annotations:\n"
        f"          summary: {json.dumps(alert.summary)}\n"
        f"          runbook: {alert.anchor}\n"
    )


def terraform_alerts(alerts: Iterable[Alert]) -> str:
    """The variable `alerts` of terraform/modules/monitoring, as JSON."""
    policies = {
        alert.name: {
            "action": alert.action,
            "for_s": alert.minutes * 60,
            "query": alert.cloud or alert.query,
            "severity": alert.severity.upper(),
            "summary": alert.summary,
        }
        for alert in alerts
    }
    return json.dumps(policies, indent=2, ensure_ascii=False) + "\n"
