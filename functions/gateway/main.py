"""The function `gateway`: the HTTP front door."""

import gc

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from spillway.assembly.gateway import function_door
from spillway.assembly.logs import log_for_the_cloud
from spillway.edge.asking import Asking
from spillway.settings import load_settings

settings = load_settings()
log_for_the_cloud(settings)
app = Asking(function_door(settings))
# What is there before the first request stays as long as the process: to look through it for garbage took 40 ms.
gc.freeze()


@functions_framework.aio.http
async def gateway(_: Request) -> ASGIApp:
    """Every path is the application's own."""
    return app
