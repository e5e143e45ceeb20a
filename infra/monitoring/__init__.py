"""Who is told of what, and what is shown: made from alerts.toml, panels.toml and docs/operations.md."""
