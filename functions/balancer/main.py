"""The function `balancer`: one round a minute, called by the scheduler."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spillway.assembly.loading import loaded_for_good

with loaded_for_good():
    from spillway.assembly.balancer import timed_rounds
    from spillway.assembly.logs import log_for_the_cloud
    from spillway.assembly.push import push_door
    from spillway.settings import load_settings

    settings = load_settings()
    log_for_the_cloud(settings)
    rounds, door = timed_rounds(settings), push_door(settings)


@functions_framework.aio.http
async def balancer(request: Request) -> Response:
    """The report of the round; 503 where it came to nothing."""
    return await door.called(request, one_round)


async def one_round() -> Response:
    """One round, as a reply."""
    report = await rounds.round()
    whole = bool(report.targets or report.skipped)
    return JSONResponse(report.body(), status_code=200 if whole else 503)
