"""Starts the front door for tests: in this process, or as the command that people run."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

import httpx
from starlette.types import ASGIApp

from spillway.assembly.gateway import front_door
from spillway.cli.serve import server
from spillway.settings import Settings

ROOT = Path(__file__).parents[2]


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
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SPILLWAY_", "REPLICATE_"))}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("spillway"), "serve", "--port", str(port), *args], env={**clean, **env}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(15)


def hosted_pictures(folder: Path, url: str) -> str:
    """Write a routes file whose fallback for pictures is an OpenAI-compatible provider; gives its path."""
    routes = folder / "routes.toml"
    routes.write_text(f"""
        [providers.hosted]
        kind = "openai"
        base_url = "{url}/v1"
        [[routes]]
        pipeline = "text-to-image"
        fallbacks = [{{ provider = "hosted", model = "dall-e-3", usd_per_job = 0.04 }}]
    """)
    return str(routes)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"spillway serve ended with {process.returncode}")
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError("spillway serve is not ready after 30 s")
