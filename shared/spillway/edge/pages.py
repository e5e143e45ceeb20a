"""What people and machines are told about the front door itself: health, figures, metrics, and the status page."""

import re
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from spillway.errors import BadRequest
from spillway.services.status import Status

_WINDOW = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_STRICT = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
Page = Callable[[Request], Awaitable[Response]]


def window_seconds(text: str) -> float:
    """24h, 15m, 7d as seconds. Raises BadRequest."""
    match = _WINDOW.fullmatch(text)
    if not match:
        raise BadRequest("window must be a number and one of s, m, h, d: for example 24h", code="invalid_parameter")
    return float(match[1]) * _UNITS[match[2]]


async def health(_: Request) -> Response:
    """GET /healthz: the process answers."""
    return JSONResponse({"status": "ok"})


def stats(status: Status) -> Page:
    """GET /api/stats."""

    async def page(request: Request) -> Response:
        return JSONResponse(status.figures(window_seconds(request.query_params.get("window", "24h"))))

    return page


def status_page(status: Status) -> Page:
    """GET /: the live status page, drawn anew every few seconds."""

    async def page(request: Request) -> Response:
        figures = status.figures(window_seconds(request.query_params.get("window", "24h")))
        return HTMLResponse(_document(figures), headers=_STRICT)

    return page


def _document(figures: dict[str, Any]) -> str:
    total = figures["total"]
    rows = "".join(_row(name, summary) for name, summary in figures["pipelines"].items())
    errors = "".join(_error(error) for error in figures["last_errors"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Spillway</title>
<style>{_STYLE}</style></head><body><main>
<h1>Spillway</h1>
<p class="lead"><strong>{_share(total)}</strong> of {total["requests"]:,} requests since {escape(figures["since"])}
were served by the subnet; hosted inference cost <strong>${total["fallback_usd"]:.2f}</strong>.</p>
<div class="scroll"><table><caption>Requests by pipeline</caption><thead><tr><th scope="col">Pipeline</th>
<th scope="col">Subnet</th><th scope="col">Fallback</th><th scope="col">Failed</th><th scope="col">Subnet share</th>
<th scope="col">p50</th><th scope="col">p95</th><th scope="col">p99</th><th scope="col">Hosted spend</th></tr></thead>
<tbody>{rows or '<tr><td colspan="9">No request yet.</td></tr>'}</tbody></table></div>
<h2>Last errors of the backends</h2>
<div class="scroll"><table><thead><tr class="text">
<th scope="col">Time, UTC</th><th scope="col">Pipeline</th><th scope="col">Backend</th>
<th scope="col">Outcome</th><th scope="col">What happened</th></tr></thead>
<tbody>{errors or '<tr><td colspan="5">None.</td></tr>'}</tbody></table></div>
<p class="quiet">The same as JSON: <a href="api/stats?window=24h">/api/stats</a>. For Prometheus:
<a href="metrics">/metrics</a>.</p></main></body></html>"""


def _row(name: str, summary: dict[str, Any]) -> str:
    latency = "".join(f"<td>{_seconds(summary['latency'][q])}</td>" for q in ("p50", "p95", "p99"))
    return (
        f'<tr><th scope="row">{escape(name)}</th><td>{summary["subnet"]:,}</td><td>{summary["fallback"]:,}</td>'
        f"<td>{summary['failed']:,}</td><td>{_share(summary)}</td>{latency}<td>${summary['fallback_usd']:.4f}</td></tr>"
    )


def _error(error: dict[str, Any]) -> str:
    cells = (error["at"][11:19], error["pipeline"], error["backend"], error["outcome"], error["message"])
    return "<tr>" + "".join(f'<td class="text">{escape(str(cell))}</td>' for cell in cells) + "</tr>"


def _share(summary: dict[str, Any]) -> str:
    return "-" if summary["subnet_share"] is None else f"{summary['subnet_share']:.1%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


_STYLE = """
:root{color-scheme:light dark;--ink:#17202a;--paper:#fbfcfd;--line:#d5dbe1;--quiet:#5b6773;--accent:#0b6e4f}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf2;--paper:#12181f;--line:#2c3742;--quiet:#9aa7b4;--accent:#4cc9a0}}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:68rem;margin:0 auto;padding:1.5rem}
h1{margin:0 0 .5rem;color:var(--accent)}h2{margin:2rem 0 .5rem;font-size:1.15rem}
.lead{font-size:1.15rem}.quiet{color:var(--quiet)}a{color:var(--accent)}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}caption{text-align:left;color:var(--quiet)}
th,td{padding:.4rem .75rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td.text,.text th{text-align:left}td.text:last-child{white-space:normal}
"""
