"""GET /api/history: the past in stretches of equal length, as JSON or, by `Accept: text/csv`, as a table."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spillway.domain.chronicle import Cell, Cells, Times, total
from spillway.domain.moments import rfc3339
from spillway.domain.pipelines import PIPELINES
from spillway.errors import BadRequest
from spillway.services.archive import RANGES, Archive, Range, range_named

QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
COLUMNS = (
    "at", "pipeline", "requests", "subnet", "fallback", "failed", "rejected", "canceled", "tries", "refused",
    "fallback_usd", "spared_usd", "queue_seconds", "p50", "p95", "p99",
    "subnet_p50", "subnet_p95", "subnet_p99", "fallback_p50", "fallback_p95", "fallback_p99",
)  # fmt: skip


class HistoryEndpoint:
    """Answers from an archive."""

    def __init__(self, archive: Archive):
        self._archive = archive

    async def __call__(self, request: Request) -> Response:
        """`range` is one of 1h, 6h, 24h, 7d, 30d, 90d. `pipeline` leaves the others out.

        Raises BadRequest and StoreUnavailable.
        """
        name, pipeline = request.query_params.get("range", "24h"), pipeline_asked(request)
        view = range_named(name)
        cells = await self._archive.cells(view)
        if pipeline:
            cells = {start: {pipeline: row[pipeline]} if pipeline in row else {} for start, row in cells.items()}
        if "text/csv" in request.headers.get("accept", "") or request.query_params.get("format") == "csv":
            filename = f'attachment; filename="spillway-{name}.csv"'
            return Response(table(cells), media_type="text/csv", headers={"content-disposition": filename})
        return JSONResponse(history(name, cells))


def pipeline_asked(request: Request) -> str | None:
    """The one that is asked for; None for all of them. Raises BadRequest."""
    pipeline = request.query_params.get("pipeline") or None
    if pipeline is not None and pipeline not in PIPELINES:
        raise BadRequest(f"pipeline must be one of {', '.join(PIPELINES)}", code="invalid_parameter", param="pipeline")
    return pipeline


def history(name: str, cells: Cells) -> dict[str, Any]:
    """The stretches of a view and their sum. Seconds and USD; times in RFC 3339."""
    view: Range = RANGES[name]
    return {
        "range": name,
        "step_seconds": view.step_s,
        "points": [{"at": rfc3339(start), "pipelines": _figures(row)} for start, row in cells.items()],
        "total": _figures(total(cells.values())),
    }


def table(cells: Cells) -> str:
    """The same as CSV, a row a stretch and pipeline."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for start, row in cells.items():
        for pipeline, figures in _figures(row).items():
            by = _by_server(row[pipeline])
            writer.writerow({"at": rfc3339(start), "pipeline": pipeline, **figures, **figures["latency"], **by})
    return file.getvalue()


def _by_server(one: Cell) -> dict[str, float | None]:
    times = {"subnet": one.served.get("subnet", Times()), "fallback": one.hosted_times()}
    return {f"{who}_{name}": seconds for who, of in times.items() for name, seconds in _quantiles(of).items()}


def _figures(row: Mapping[str, Cell]) -> dict[str, Any]:
    return {pipeline: figures_of(one) for pipeline, one in sorted(row.items())}


def figures_of(one: Cell) -> dict[str, Any]:
    """A cell for people and programs."""
    whole = one.all_times()
    return {
        "requests": one.requests,
        "subnet": one.subnet,
        "fallback": whole.count - one.subnet,
        "failed": one.failed,
        "rejected": one.rejected,
        "canceled": one.canceled,
        "tries": one.tries,
        "refused": one.refused,
        "fallback_usd": round(one.usd, 6),
        "spared_usd": round(one.spared_usd, 6),
        "queue_seconds": round(one.queue_s, 3),
        "latency": _quantiles(whole),
        "latency_by_server": {server: _quantiles(times) for server, times in sorted(one.served.items())},
    }


def _quantiles(times: Times) -> dict[str, float | None]:
    found = {name: times.quantile(q) for name, q in QUANTILES}
    return {name: None if seconds is None else round(seconds, 3) for name, seconds in found.items()}
