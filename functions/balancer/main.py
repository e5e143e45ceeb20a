"""The function `balancer`: one round a minute, called by the scheduler."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse

from spillway.assembly.balancer import timed_rounds
from spillway.settings import load_settings

rounds = timed_rounds(load_settings())


@functions_framework.aio.http
async def balancer(_: Request) -> JSONResponse:
    """The report of the round; 503 where it came to nothing."""
    report = await rounds.round()
    whole = bool(report.targets or report.skipped)
    return JSONResponse(report.body(), status_code=200 if whole else 503)
