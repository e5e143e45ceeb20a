"""The page's parts: each is made from the facts alone, so that it can be sent anew when they change."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from spillway.domain.chronicle import Cell, total
from spillway.edge.dashboard import words
from spillway.edge.dashboard.charts import charts, paid, pipelines_of
from spillway.services.archive import RANGES
from spillway.services.overview import Facts

SECTIONS = ("headline", "pipelines", "charts", "policy", "spending", "redemptions", "errors")


@cache
def templates() -> Environment:
    """Everything that is put in is escaped; a name that is not given is an error."""
    loader = PackageLoader("spillway.edge.dashboard", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals["words"] = words
    return made


def page(facts: Facts, view: str, pipeline: str | None, errors: list[Mapping[str, Any]]) -> str:
    """The whole page."""
    given = _given(facts, view, pipeline, errors)
    parts = {name: _section(name, given) for name in SECTIONS}
    return templates().get_template("page.html").render(parts=parts, **given)


def sections(facts: Facts, view: str, pipeline: str | None, errors: list[Mapping[str, Any]]) -> dict[str, str]:
    """Each part's HTML by its id."""
    given = _given(facts, view, pipeline, errors)
    return {name: _section(name, given) for name in SECTIONS}


def _section(name: str, given: Mapping[str, Any]) -> str:
    return templates().get_template(f"{name}.html").render(**given)


def _given(facts: Facts, view: str, pipeline: str | None, errors: list[Mapping[str, Any]]) -> dict[str, Any]:
    sums = total(facts.cells.values())
    whole = Cell()
    for one in sums.values():
        whole.merge(one)
    return {
        "facts": facts,
        "view": view,
        "views": list(RANGES),
        "pipeline": pipeline,
        "pipelines": pipelines_of(facts.cells),
        "sums": sums,
        "whole": whole,
        "targets": _targets(facts),
        "charts": charts(facts.cells, facts.view.step_s, pipeline) if facts.cells else [],
        "days": paid(facts.won.days, facts.view.span_s) if facts.won else None,
        "errors": errors,
    }


def _targets(facts: Facts) -> dict[str, float]:
    """The lowest target of each pipeline's routes."""
    lowest: dict[str, float] = {}
    for route, target in facts.targets.items():
        name = route.partition(" ")[0]
        lowest[name] = min(target.share, lowest.get(name, 1.0))
    return lowest
