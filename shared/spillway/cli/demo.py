"""`spillway demo`: a day of GIF-competition demand, over HTTP, through the real front door, in fast motion."""

import asyncio
import json
import socket
import sys
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from spillway.errors import BadSettings

HOST = "127.0.0.1"
TOKEN = "r8_demo"  # noqa: S105 (of the simulated Replicate)
MODELS = {
    "text-to-image": "ByteDance/SDXL-Lightning",
    "image-to-video": "stabilityai/stable-video-diffusion-img2vid-xt",
}
# In faster motion than this, the milliseconds of a real request would weigh more than the simulated seconds.
FASTEST = 1 / 240
REFRESH_S = 0.25
PLAIN_LINES = 10


def demo(
    seconds: Annotated[
        float, typer.Option(help="How long the day lasts; a few more until the last answer.", min=1)
    ] = 60,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Play a day of the GIF competition against a simulated subnet and simulated hosted inference."""
    simulated = _competition()
    console = Console(stderr=as_json, highlight=False)
    day = Day(simulated, seconds)
    with _listener(port) as listener:
        stay = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
        try:
            asyncio.run(_play(day, listener, console, stay=stay))
        except KeyboardInterrupt:
            console.print("Stopped before the day was over.")
            raise typer.Exit(130) from None
        if as_json:
            typer.echo(json.dumps(day.as_dict(_url(listener))))
    if any(tally.failed for tally in day.tallies.values()):
        raise typer.Exit(1)


async def _play(day: "Day", listener: socket.socket, console: Console, *, stay: bool) -> None:
    url = _url(listener)
    async with _stage(day, listener), httpx.AsyncClient(base_url=url, timeout=None, trust_env=False) as client:  # noqa: S113 (the front door has its own deadlines)
        console.print(f"Dashboard: [link={url}/]{url}/[/link]")
        await _watched(day, client, console)
        console.print(day.table(), f"Dashboard: [link={url}/]{url}/[/link]", sep="\n")


# --- the stage ---


def _competition() -> Any:
    try:
        from simulator import competition  # noqa: PLC0415 (infra/ is there in a clone only)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("simulator"):
            raise
        raise BadSettings("the demo's simulators are in infra/simulator: run `make demo` in a clone") from None
    return competition
