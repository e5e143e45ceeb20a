"""Announcers in processes that are killed at a step: `python -m support.mortal` reads one order a line.

The process that reads orders imports the product once and forks for each: a start costs milliseconds, and each
announcer is a process of its own all the same, which ends by SIGKILL with nothing flushed, closed or said.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spillway.adapters.discord import DiscordWebhook
from spillway.adapters.http import HttpPool
from spillway.adapters.sqlite_outbox import SqliteOutbox
from spillway.services.announcing import Announcing

PORTS = ("pending", "find", "mark", "done", "prepare", "fill", "discard")


class Steps:
    """Counts the calls of all ports; the process dies when the one before step `die` has been made."""

    def __init__(self, die: int | None):
        self.die, self.made = die, 0

    def __call__(self) -> None:
        """Before a call."""
        if self.made == self.die:
            os.kill(os.getpid(), signal.SIGKILL)
        self.made += 1


class Mortal:
    """A port whose every call is a step."""

    def __init__(self, kept: Any, steps: Steps):
        self._kept, self._steps = kept, steps

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._kept, name)
        if name not in PORTS:
            return method

        async def stepped(*args: Any) -> Any:
            self._steps()
            return await method(*args)

        return stepped


async def announce(order: dict[str, Any]) -> tuple[str, int]:
    """One round as the product does it; gives its problem and the number of its steps."""
    steps = Steps(order["die"])
    outbox, pool = SqliteOutbox(Path(order["state"])), HttpPool()
    channel = DiscordWebhook(pool, order["webhook"], try_s=1.0, call_s=4.0)
    announcing = Announcing(Mortal(outbox, steps), Mortal(channel, steps), epoch=time.time, claim_s=0.05, pause_s=0.01)  # type: ignore[arg-type]
    report = await announcing.round()
    await outbox.close()
    await pool.aclose()
    return report.problem, steps.made


def _forked(order: dict[str, Any]) -> None:
    """Fork, tell the child's id at once and its end when it has ended."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        problem, made = asyncio.run(announce(order))
        os.write(writable, json.dumps({"problem": problem, "steps": made}).encode())
        os._exit(0)
    os.close(writable)
    _say({"pid": child})
    _, status = os.waitpid(child, 0)
    with os.fdopen(readable) as told:
        _say({"killed": os.WIFSIGNALED(status), **json.loads(told.read() or "{}")})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Nursery:
    """Gives orders to the process that forks."""

    def __init__(self, process: "subprocess.Popen[str]"):
        self._process = process

    def start(self, state: Path, webhook: str, *, die: int | None = None) -> int:
        """Start an announcer; gives its process id."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"state": str(state), "webhook": webhook, "die": die}) + "\n")
        self._process.stdin.flush()
        return int(self._line()["pid"])

    def end(self) -> dict[str, Any]:
        """How it ended: `killed`, or with a `problem` ("" for none) after so many `steps`."""
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))


@contextmanager
def nursery() -> Iterator[Nursery]:
    """The process that forks, for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "support.mortal"],
        cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        yield Nursery(process)
        assert process.stdin
        process.stdin.close()
        process.wait(15)


if __name__ == "__main__":
    for line in sys.stdin:
        _forked(json.loads(line))
