"""The function `redemptions`: one round of reading the chain, called by the scheduler."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spillway.assembly.loading import loaded_for_good

with loaded_for_good():
    from spillway.assembly.logs import log_for_the_cloud
    from spillway.assembly.notifier import open_bell
    from spillway.assembly.push import push_door
    from spillway.assembly.redemptions import timed_rounds
    from spillway.settings import load_settings

    settings = load_settings()
    log_for_the_cloud(settings)
    rounds, door = timed_rounds(settings, open_bell(settings)), push_door(settings)


@functions_framework.aio.http
async def redemptions(request: Request) -> Response:
    """The report of the round; 503 where something is left for the next one."""
    return await door.called(request, one_round)


async def one_round() -> Response:
    """One round, as a reply."""
    report = await rounds.round()
    return JSONResponse(report.body(), status_code=200 if report.whole else 503)
