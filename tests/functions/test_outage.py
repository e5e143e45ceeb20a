"""Firestore falls silent under two front doors in processes of their own: they go on, and catch up afterwards."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from faults.house import QUICK, new_client
from simulator import SubnetGateway
from support.emulators import FIRESTORE, started
from support.functions import Function, function

PICTURE = {"prompt": "a river", "width": 64, "height": 64}
LATER = {"prefer": "respond-async"}


@dataclass
class Doors:
    """Two front doors, and the state that they share."""

    both: list[Function]
    client: httpx.AsyncClient
    firestore: "subprocess.Popen[bytes]"
    env: dict[str, str]

    async def ask(self, door: Function, **headers: str) -> httpx.Response:
        """One picture."""
        return await self.client.post(f"{door.url}/text-to-image", json=PICTURE, headers=headers)

    async def ask_both(self, **headers: str) -> list[int]:
        """What each answers."""
        replies = await asyncio.gather(*(self.ask(door, **headers) for door in self.both))
        return [reply.status_code for reply in replies]

    async def until(self, statuses: list[int], within_s: float, **headers: str) -> None:
        """Ask until both answer so."""
        async with asyncio.timeout(within_s):
            while await self.ask_both(**headers) != statuses:
                await asyncio.sleep(0.3)


@asynccontextmanager
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    subnet = SubnetGateway(slots=20, service=QUICK)
    async with AsyncExitStack() as stack:
        address, process = stack.enter_context(started(FIRESTORE))
        await stack.enter_async_context(subnet.serve())
        env = {
            "FIRESTORE_EMULATOR_HOST": address,
            "SPILLWAY_STATE": f"firestore://test-{uuid.uuid4().hex[:12]}/(default)",
            "SPILLWAY_ARTIFACTS": f"file://{tmp_path / 'artifacts'}",
            "SPILLWAY_SUBNET_URL": subnet.url,
        }
        both = await asyncio.gather(*(stack.enter_async_context(function("gateway", env)) for _ in range(2)))
        yield Doors(both, await stack.enter_async_context(new_client()), process, env)


@pytest.mark.usefixtures("firestore_emulator")
async def test_two_front_doors_share_orders_and_outlive_their_state(tmp_path: Path) -> None:
    async with doors(tmp_path) as there:
        await there.until([200, 200], 20.0)
        await there.until([202, 202], 20.0, **LATER)

        there.firestore.send_signal(signal.SIGSTOP)
        try:
            assert await there.ask_both() == [200, 200]
            for door in there.both:
                refused = await there.ask(door, **LATER)
                assert (refused.status_code, "retry-after" in refused.headers) == (503, True), refused.text
        finally:
            there.firestore.send_signal(signal.SIGCONT)
        await there.until([202, 202], 30.0, **LATER)

        order = ["policy", "set", "--route", "all", "--mode", "fallback-only"]
        spillway = Path(sys.executable).with_name("spillway")
        await asyncio.to_thread(subprocess.run, [spillway, *order], env={**os.environ, **there.env}, check=True)
        # Five seconds are promised; a machine that is busy gets three times as long.
        await there.until([503, 503], 15.0)
