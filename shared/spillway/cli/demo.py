"""`spillway demo`: a day of GIF-competition demand, over HTTP, through the real front door, in fast motion."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from typing import Annotated

import typer
import uvicorn
from rich.console import Console

from spillway.cli.demo_show import Show
from spillway.cli.demo_stage import HOST, competition, listening, stage

PLAIN_WIDTH = 100


def demo(
    seconds: Annotated[
        float, typer.Option(help="How long the day takes; its last videos come a little later.", min=1)
    ] = 60,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Play a day of the GIF competition against a simulated subnet and simulated hosted inference."""
    played = competition()
    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    listener = listening(port)
    stay = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    show = Show(played, seconds, f"http://{HOST}:{listener.getsockname()[1]}", console)
    try:
        # The event loop that `spillway serve` runs on.
        with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
            runner.run(_run(show, listener, stay=stay))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped before the day was over.")
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(show.as_dict()))
    if any(tally.failed for tally in show.day.tallies.values()):
        raise typer.Exit(1)


async def _run(show: Show, listener: socket.socket, *, stay: bool) -> None:
    _end_on_sigterm()
    async with stage(show.competition, show.day, listener) as chain, show.day.open():
        show.begin()
        async with asyncio.TaskGroup() as group:
            await show.watch(group.create_task(show.day.play()))
        await show.day.count_redemptions()
        show.end(chain.kind, stay=stay)
        if stay:
            # Ctrl-C cancels this task; here that is how a whole demo ends.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


def _end_on_sigterm() -> None:
    """As on Ctrl-C, so that nothing is left lying about. Windows has no such signal."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
