"""The function `notifier`: announces what waits, whenever Pub/Sub says that something may."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spillway.assembly.loading import loaded_for_good

with loaded_for_good():
    from spillway.assembly.logs import log_for_the_cloud
    from spillway.assembly.notifier import NotifierHouse
    from spillway.assembly.push import push_door
    from spillway.edge.push import Message
    from spillway.settings import load_settings

    settings = load_settings()
    log_for_the_cloud(settings)
    house, door = NotifierHouse(settings), push_door(settings)


@functions_framework.aio.http
async def notifier(request: Request) -> Response:
    """The report of the round; 503 where something is left, so that the message comes again."""
    return await door.pushed(request, announce)


async def announce(_: Message) -> Response:
    """One round: the outbox says what there is to announce, whatever the message says."""
    report = await house.round()
    return JSONResponse(report.body(), status_code=503 if report.problem else 200)
