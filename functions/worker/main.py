"""The function `worker`: runs the job that Pub/Sub says is due, or sweeps when it says so."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from spillway.assembly.loading import loaded_for_good

with loaded_for_good():
    from spillway.assembly.logs import log_for_the_cloud
    from spillway.assembly.push import push_door
    from spillway.assembly.worker import WorkerHouse
    from spillway.settings import load_settings

    settings = load_settings()
    log_for_the_cloud(settings)
    house, door = WorkerHouse(settings), push_door(settings)


@functions_framework.aio.http
async def worker(request: Request) -> Response:
    """2xx where the message has done its work; it comes again else."""
    return await door.pushed(request, house.take)
