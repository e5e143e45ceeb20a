"""anvil, a node of an EVM chain: the binary that `make tests/chain/node_modules` brings, or the one on the path."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

FOLDER = Path(__file__).parents[2] / "tests/chain/node_modules/@foundry-rs"
READY_S = 30.0


def binary() -> str | None:
    """Where it is; None where it isn't."""
    found = sorted(FOLDER.glob("anvil-*/bin/anvil"))
    return str(found[0]) if found else shutil.which("anvil")


@asynccontextmanager
async def anvil(path: str, chain_id: int, began: int) -> AsyncIterator[str]:
    """A node that mines a block for each transaction, its first one at `began`; gives its URL."""
    port = _free_port()
    options = {"--port": port, "--chain-id": chain_id, "--timestamp": began, "--slots-in-an-epoch": 1}
    words = [str(word) for option in options.items() for word in option]
    # In a session of its own, as Ctrl-C is for whoever uses it: that one ends it, when nobody asks it any more.
    process = await asyncio.create_subprocess_exec(
        path, "--silent", *words, stdout=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _ready(process, url)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _ready(process: asyncio.subprocess.Process, url: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    async with asyncio.timeout(READY_S), httpx.AsyncClient(trust_env=False) as client:
        while process.returncode is None:
            try:
                (await client.post(url, json=body)).raise_for_status()
            except httpx.HTTPError:
                await asyncio.sleep(0.02)
            else:
                return
    raise RuntimeError(f"anvil ended with {process.returncode}")
