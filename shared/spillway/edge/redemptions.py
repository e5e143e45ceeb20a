"""GET /api/redemptions: pages of redemptions, as JSON or as CSV; GET /api/redemptions/days and /deposit."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spillway.domain.periods import begin_of, end_of
from spillway.domain.redemption_table import grouped, table
from spillway.domain.redemptions import LATEST
from spillway.edge.pages import Page
from spillway.errors import BadRequest
from spillway.services.deposit_reports import DepositReports
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.redemption_totals import RedemptionTotals

USUAL, MOST = 100, 1000


def redemptions_page(reports: RedemptionReports, totals: RedemptionTotals) -> Page:
    """`from`, `to`, `limit`, `removed`, and the `after` of the page before, which is also in the Link header."""

    async def page(request: Request) -> Response:
        asked = request.query_params
        period, limit = _period(asked), _limit(asked.get("limit", str(USUAL)))
        try:
            found = await reports.page(period, asked.get("after"), limit)
        except ValueError as error:
            raise _bad("after", error) from error
        headers = {"vary": "accept"}
        if found.after:
            headers["link"] = f'<{request.url.include_query_params(after=found.after)}>; rel="next"'
        if _wants_csv(request):
            return Response(table(found.redemptions), headers=headers, media_type="text/csv")
        sums = await reports.sums_beside(period, found, first="after" not in asked)
        told = await totals.body(period, sums.total)
        rows = [one.body() for one in found.redemptions]
        return JSONResponse({"redemptions": rows, "totals": told, "after": found.after}, headers=headers)

    return page


def days_page(reports: RedemptionReports) -> Page:
    """GET /api/redemptions/days: what was redeemed on each day of `from` to `to`, as CSV, the newest first."""

    async def page(request: Request) -> Response:
        sums = await reports.recent_sums(_period(request.query_params), "day")
        headers = {"content-disposition": 'attachment; filename="spillway-redemptions-by-day.csv"'}
        return Response(grouped(sums), headers=headers, media_type="text/csv")

    return page


def deposit_page(reports: DepositReports) -> Page:
    """GET /api/redemptions/deposit: what was seen last of the deposits, and what jobs cost in tickets."""

    async def page(_: Request) -> Response:
        return JSONResponse(await reports.report())

    return page


def _wants_csv(request: Request) -> bool:
    """Where CSV is named and JSON is not named before it."""
    kinds = [kind.partition(";")[0].strip() for kind in request.headers.get("accept", "").split(",")]
    return "text/csv" in kinds and "application/json" not in kinds[: kinds.index("text/csv")]


def _period(asked: Mapping[str, str]) -> Period:
    removed = asked.get("removed", "false")
    if removed not in ("true", "false"):
        raise _bad("removed", "must be true or false")
    since, before = _time(asked, "from", begin_of, 0), _time(asked, "to", end_of, LATEST)
    return Period(since, before, removed == "true")


def _time(asked: Mapping[str, str], name: str, read: Callable[[str], int], usual: int) -> int:
    try:
        return read(asked[name]) if name in asked else usual
    except ValueError as error:
        raise _bad(name, error) from error


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise _bad("limit", f"must be a number from 1 to {MOST}")
    return int(text)


def _bad(name: str, why: Any) -> BadRequest:
    return BadRequest(f"{name}: {why}", code="invalid_parameter", param=name)
