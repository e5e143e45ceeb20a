"""Functions in processes of their own, started as Google's buildpack starts them."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.front_door import ROOT, free_port
from support.processes import environment
from support.waiting import until_it_answers, until_it_listens

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


@contextmanager
def started(name: str, env: Mapping[str, str], *, port: int | None = None, output: Any = None) -> Iterator[Function]:
    """`functions/NAME` once it listens, until the block ends; what it writes goes to the file `output`.

    Nothing was asked of it before: a round is made whenever it is called.
    """
    one = _process(name, env, port or free_port(), output)
    try:
        until_it_listens(one.process, one.port)
        yield one
    finally:
        one.process.terminate()
        one.process.wait(STOP_S)


def imported(name: str, env: Mapping[str, str], code: str = "import main") -> "subprocess.CompletedProcess[str]":
    """Import `functions/NAME`, as the framework does before anything is asked of it."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "functions" / name,
        env=environment(env),
        capture_output=True,
        text=True,
        check=False,
    )


@asynccontextmanager
async def function(name: str, env: Mapping[str, str]) -> AsyncIterator[Function]:
    """One that serves, inside an event loop: several can start at once, and each be stopped before the end."""
    one = _process(name, env, free_port())
    try:
        await asyncio.to_thread(until_it_answers, one.process, f"{one.url}/readyz")
        yield one
    finally:
        if one.process.poll() is None:
            await one.stop()


def _process(name: str, env: Mapping[str, str], port: int, output: Any = None) -> Function:
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("functions-framework"),
            "--source", ROOT / f"functions/{name}/main.py", "--target", name,
            "--host", "127.0.0.1", "--port", str(port),
        ],
        env=environment(env),
        stdout=output,
    )  # fmt: skip
    return Function(f"http://127.0.0.1:{port}", port, process)
