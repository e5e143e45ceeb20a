"""Who is told of what, and what is shown: made from alerts.toml, dashboards.toml and docs/operations.md."""
