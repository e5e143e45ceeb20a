"""The end of a process, where its server has no lifespan."""

import asyncio
import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from spillway.assembly.stopping import Leaving


class Process:
    """What happens in this process at its end, in order; `server` is whoever heard of SIGTERM before."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.leaving = Leaving(self.begin, self.end)

    async def begin(self) -> None:
        self.told.append("begin")

    async def end(self) -> None:
        await asyncio.sleep(0.01)
        self.told.append("end")

    def server(self, number: int, frame: FrameType | None) -> None:
        self.told.append("server")

    async def stop(self) -> None:
        """Ask it to end, and let it hear of that."""
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    before = signal.signal(signal.SIGTERM, made.server)
    yield made
    # Left to the garbage collector, it would put its handler's predecessor back in the middle of another test.
    made.leaving._signals.close()
    signal.signal(signal.SIGTERM, before)


async def test_server_stops_listening_at_once_and_calls_end_when_all_is_handed_back(process: Process) -> None:
    async with process.leaving:
        await process.stop()
        assert process.told == ["server", "begin"]
    assert process.told == ["server", "begin", "end"]


async def test_server_without_calls_hears_of_it_last(process: Process) -> None:
    async with process.leaving:
        pass
    await process.stop()
    await asyncio.sleep(0.3)
    assert process.told == ["begin", "end", "server"]


async def test_asked_twice_it_leaves_once(process: Process) -> None:
    async with process.leaving:
        await process.stop()
        await process.stop()
    assert process.told == ["server", "begin", "end"]


async def test_what_cannot_be_handed_back_keeps_no_process(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise OSError("away")

    process.leaving = Leaving(broken, process.end)
    async with process.leaving:
        await process.stop()
    assert process.told == ["server", "end"]
    assert "something was not handed back at the end" in caplog.text
