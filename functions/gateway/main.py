"""The function `gateway`: the HTTP front door."""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from spillway.assembly.loading import loaded_for_good

with loaded_for_good():
    from spillway.assembly.gateway import function_door
    from spillway.assembly.logs import log_for_the_cloud
    from spillway.edge.asking import Asking
    from spillway.settings import load_settings

    settings = load_settings()
    log_for_the_cloud(settings)
    app = Asking(function_door(settings))


@functions_framework.aio.http
async def gateway(_: Request) -> ASGIApp:
    """Every path is the application's own."""
    return app
