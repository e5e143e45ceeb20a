"""The function `gateway`: the HTTP front door."""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from spillway.assembly.gateway import front_door
from spillway.settings import load_settings

app = front_door(load_settings())


@functions_framework.aio.http
async def gateway(_: Request) -> ASGIApp:
    """Every path is the application's own."""
    return app
