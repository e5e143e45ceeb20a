"""`spillway serve`: every function in one process."""

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
import uvicorn
from starlette.types import ASGIApp

from spillway.assembly.loading import loaded_for_good
from spillway.errors import BadSettings
from spillway.services.bell import LocalBell
from spillway.settings import Settings, load_settings

Beside = Callable[[], Awaitable[None]]

# A stream in flight gets this long to end when the process is asked to stop.
GRACE_S = 10
MINUTE_S = 60.0

log = logging.getLogger("spillway")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback needs keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
) -> None:
    """Serve the front door in one process. It is ready when GET /readyz answers 200."""
    with loaded_for_good():
        from spillway.assembly.gateway import front_door  # noqa: PLC0415 (--help need not load the house)

        settings = load_settings()
        check_bind(settings, host)
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
        say_what_is_elsewhere(settings)
        beside = [every_minute(settings), *telling_of_redemptions(settings)]
        app = front_door(settings, beside=beside)
    server(app, host, port).run()


def say_what_is_elsewhere(settings: Settings) -> None:
    """A queue of its own has its worker here; who names another may think so of that one too."""
    if not settings.queue.startswith("local:"):
        log.warning("SPILLWAY_QUEUE: jobs are taken in here and run by the function worker alone: see that it runs")


async def nothing() -> None:
    """What runs beside the server where nothing has to."""


def every_minute(settings: Settings) -> Beside:
    """The timed functions, as a scheduler calls them in the cloud."""
    from spillway.assembly.balancer import timed_rounds  # noqa: PLC0415 (--help need not load the house)

    if settings.state.startswith("memory:"):
        log.warning("SPILLWAY_STATE: with memory:// nothing is balanced, as nothing is shared")
        return nothing
    balancer = timed_rounds(settings)

    async def rounds() -> None:
        while True:
            await asyncio.sleep(MINUTE_S)
            await balancer.round()

    return rounds


def telling_of_redemptions(settings: Settings) -> list[Beside]:
    """The scan for redemptions and their announcer, which it calls.

    Raises BadSettings where a node is of another chain.
    """
    if settings.state.startswith("memory:"):
        return []
    if settings.rpc_url:
        from spillway.assembly.redemptions import check_chain  # noqa: PLC0415 (web3 takes 0.7 s)

        asyncio.run(check_chain(settings))
    bell = LocalBell()
    return [reading_chain(settings, bell), announcing(settings, bell)]


def announcing(settings: Settings, bell: LocalBell) -> Beside:
    """The announcer: at once, whenever it is called, and every minute.

    Raises BadSettings where Discord knows no such webhook.
    """
    from spillway.assembly.notifier import NotifierHouse, check_webhook  # noqa: PLC0415 (--help need not load the house)

    if settings.discord_webhook_url is None:
        return nothing
    asyncio.run(check_webhook(settings))
    house = NotifierHouse(settings)

    async def rounds() -> None:
        try:
            while True:
                await house.round()
                await bell.heard(MINUTE_S)
        finally:
            await house.close()

    return rounds


def reading_chain(settings: Settings, bell: LocalBell, *, every_s: float = MINUTE_S) -> Beside:
    """The scan for redemptions and the watch over the deposits, at once and then time and again."""
    if not (settings.rpc_url or settings.subnet_cli_url or settings.subnet_metrics_url):
        return nothing
    from spillway.assembly.redemptions import timed_rounds  # noqa: PLC0415 (web3 takes 0.7 s)

    scan = timed_rounds(settings, bell)

    async def rounds() -> None:
        try:
            while True:
                await scan.round()
                await asyncio.sleep(every_s)
        finally:
            await scan.close()

    return rounds


def server(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    """The HTTP server over an application; requests are not logged one by one, /metrics counts them."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="info",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
    )
    return uvicorn.Server(config)


def check_bind(settings: Settings, host: str) -> None:
    """Refuse a public address without keys. Raises BadSettings."""
    if settings.auth != "keys" and not is_loopback(host):
        raise BadSettings(f"--host {host} can be reached by others: set SPILLWAY_AUTH=keys, or bind to 127.0.0.1")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
