"""What `spillway demo` plays against: the simulators, a chain, and the real front door before them."""

import asyncio
import contextlib
import logging
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from spillway.cli.serve import reading_chain, server
from spillway.errors import BadSettings
from spillway.services.bell import LocalBell
from spillway.settings import Settings, load_settings

HOST = "127.0.0.1"
# The chain is looked at as often as in fast motion a minute passes.
CHAIN_LOOK_S = 2.0


def competition() -> Any:
    """The simulators' side of it. Raises BadSettings where there is no clone of the repository."""
    try:
        from simulator import competition as found  # noqa: PLC0415 (infra/ is not in the package)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "simulator":
            raise
        raise BadSettings("spillway demo needs infra/simulator: run `make demo` in a clone of the repository") from None
    return found


def listening(port: int) -> socket.socket:
    """A socket on this machine; port 0 takes a free one. Raises BadSettings."""
    # Without its protocol, asyncio takes it for no TCP socket and leaves Nagle's algorithm on: 40 ms an answer.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise BadSettings(f"--port {port}: {error.strerror}; choose another one, or 0 for any that is free") from None
    return listener


@contextlib.asynccontextmanager
async def stage(competition: Any, day: Any, listener: socket.socket) -> AsyncIterator[Any]:
    """The simulators, and the front door before them; gives the chain's node. What it keeps is gone afterwards."""
    token = "r8_demo"  # noqa: S105 (the simulated Replicate takes the one that it is told)
    with tempfile.TemporaryDirectory(prefix="spillway-demo-") as directory:
        async with (
            competition.subnet(day.scale).serve() as subnet,
            competition.hosted(day.scale, token).serve() as hosted,
            competition.chain(day) as chain,
        ):
            settings = _settings(
                **_kept(Path(directory)),
                **_chain(chain),
                public_url=day.url,
                subnet_url=subnet.url,
                replicate_url=hosted.url,
                replicate_api_token=token,
            )
            async with _serving(settings, listener):
                yield chain


def _kept(directory: Path) -> dict[str, str]:
    return {"artifacts": f"file://{directory}/artifacts", "state": f"sqlite:///{directory}/state.db"}


def _chain(node: Any) -> dict[str, str]:
    """A simulated chain never reorganises, so its newest block is final."""
    return {
        "rpc_url": node.url,
        "chain_id": str(node.chain_id),
        "ticket_broker": node.broker,
        "senders": node.sender,
        "start_block": "0",
        "confirmations": "0",
    }


def _settings(**own: str) -> Settings:
    """The demo's own settings, and for the rest the defaults: the user's are for the real subnet."""
    others = {name: known for name, known in Settings.model_fields.items() if name not in own}
    defaults = {name: known.get_default(call_default_factory=True, validated_data={}) for name, known in others.items()}
    return load_settings(**own).model_copy(update=defaults)


class _Server(uvicorn.Server):
    """Leaves Ctrl-C to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _serving(settings: Settings, listener: socket.socket) -> AsyncIterator[None]:
    from spillway.assembly.gateway import front_door  # noqa: PLC0415 (--help need not load the house)

    beside = [reading_chain(settings, LocalBell(), every_s=CHAIN_LOOK_S)]
    serving = _Server(server(front_door(settings, beside=beside), HOST, 0).config)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    try:
        while not serving.started:  # noqa: ASYNC110 (uvicorn has nothing to wait for)
            await asyncio.sleep(0.01)
        yield
    finally:
        serving.should_exit = True
        await task
