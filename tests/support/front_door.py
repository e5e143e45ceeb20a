"""Starts the front door for tests: in this process, or as the command that people run."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

from starlette.types import ASGIApp

from spillway.assembly.gateway import front_door
from spillway.cli.serve import server
from spillway.settings import Settings
from support.processes import SPILLWAY, environment
from support.waiting import until_it_answers

ROOT = Path(__file__).parents[2]
HOSTED = {"text-to-image": ("dall-e-3", 0.04), "llm": ("gpt-4o-mini", 0.001)}
ROUTE = """
[[routes]]
pipeline = "{pipeline}"
fallbacks = [{{ provider = "hosted", model = "{model}", usd_per_job = {usd} }}]
"""


@asynccontextmanager
async def running(settings: Settings, *, works: bool = True) -> AsyncIterator[str]:
    """The front door inside this event loop, with a worker or without; gives its URL.

    It forgets everything unless its state is given.
    """
    if "state" not in settings.model_fields_set:
        settings = settings.model_copy(update={"state": "memory://"})
    async with serving(front_door(settings, works=works), lifespan="on") as url:
        yield url


@asynccontextmanager
async def serving(app: ASGIApp, *, lifespan: Literal["on", "off"] = "off") -> AsyncIterator[str]:
    """An application inside this event loop; gives its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    serves = server(app, "127.0.0.1", 0)
    serves.config.log_level, serves.config.lifespan = "error", lifespan
    # Signals stay pytest's own.
    serves.capture_signals = nullcontext  # type: ignore[method-assign]
    task = asyncio.create_task(serves.serve(sockets=[listener]))
    try:
        while not serves.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        serves.should_exit = True
        await task
        listener.close()


@contextmanager
def command(*args: str, **env: str) -> Iterator[str]:
    """`spillway serve` in a process of its own; gives its URL once it is ready."""
    port = free_port()
    env.setdefault("SPILLWAY_STATE", "memory://")
    process = subprocess.Popen([SPILLWAY, "serve", "--port", str(port), *args], env=environment(env))
    url = f"http://127.0.0.1:{port}"
    try:
        until_it_answers(process, f"{url}/readyz", status=200)
        yield url
    finally:
        process.terminate()
        process.wait(15)


def hosted_routes(folder: Path, url: str, pipelines: Sequence[str] = ("text-to-image",)) -> str:
    """Write a routes file whose only fallback is an OpenAI-compatible provider at `url`; gives its path."""
    routes = folder / "routes.toml"
    routes.write_text(
        f'[providers.hosted]\nkind = "openai"\nbase_url = "{url}/v1"\n'
        + "".join(ROUTE.format(pipeline=name, model=HOSTED[name][0], usd=HOSTED[name][1]) for name in pipelines)
    )
    return str(routes)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
