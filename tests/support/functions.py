"""Functions in processes of their own, started as Google's buildpack starts them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.front_door import ROOT, free_port

START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class Function:
    """One instance of a function."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"

    async def stop(self) -> float:
        """Ask it to end, as Cloud Run does; the seconds until it has."""
        began = time.monotonic()
        self.process.terminate()
        await asyncio.to_thread(self.process.wait, STOP_S)
        return time.monotonic() - began


@asynccontextmanager
async def function(name: str, env: Mapping[str, str]) -> AsyncIterator[Function]:
    """`functions/NAME` once it answers, until the block ends."""
    port = free_port()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SPILLWAY_", "REPLICATE_"))}
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("functions-framework"),
            "--source", ROOT / f"functions/{name}/main.py", "--target", name,
            "--host", "127.0.0.1", "--port", str(port),
        ],
        env={**clean, **env},
    )  # fmt: skip
    started = Function(f"http://127.0.0.1:{port}", port, process)
    try:
        await _until_it_answers(started)
        yield started
    finally:
        if process.poll() is None:
            await started.stop()


async def _until_it_answers(started: Function) -> None:
    end = time.monotonic() + START_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                await client.get(f"{started.url}/readyz", timeout=10)
            except httpx.HTTPError as error:
                if started.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the function at {started.url} did not start") from error
                await asyncio.sleep(0.05)
            else:
                return
