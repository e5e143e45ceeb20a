"""`python -m simulator subnet|replicate|openai|discord|chain`: one simulator, and a line of JSON when it is ready."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from simulator.chain_lies import LIES
from simulator.chain_node import ChainNode
from simulator.discord import DiscordApi
from simulator.faults import Fault, fault_from
from simulator.openai import OpenAiApi
from simulator.replicate import ReplicateApi
from simulator.server import Simulator
from simulator.slots import Capacity
from simulator.subnet import SubnetGateway


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    line.add_argument("kind", choices=("subnet", "replicate", "openai", "discord", "chain"))
    line.add_argument("--host", default="127.0.0.1")
    line.add_argument("--port", type=int, default=0, help="0 takes a free one")
    line.add_argument("--time-scale", type=float, default=1.0, help="all times are multiplied by this")
    line.add_argument("--seed", type=int, default=0)
    line.add_argument("--fault", action="append", type=_fault, default=[], help='JSON, e.g. {"kind":"reset","times":1}')
    line.add_argument("--slots", type=_slots, default=4, help='a number for every pipeline, or {"llm":2}')
    line.add_argument("--refusal", type=float, default=2.0, help="seconds a full subnet tries before its 503")
    line.add_argument("--master-panics", action="store_true", help="no capacity closes the connection, as on master")
    line.add_argument("--token", default=None, help="what replicate, openai and discord ask for")
    line.add_argument("--cold-start", type=float, default=30.0, help="seconds, replicate")
    line.add_argument("--service", type=float, default=4.0, help="seconds a job takes, replicate and openai")
    line.add_argument("--upstream", default="http://127.0.0.1:8545", help="the real node behind chain")
    line.add_argument("--lie", action="append", choices=sorted(LIES), default=[], help="what chain makes of it")
    return line


def build(options: argparse.Namespace) -> Simulator:
    """The simulator that these options describe."""
    scale, seed, faults = options.time_scale, options.seed, options.fault
    if options.kind == "subnet":
        return SubnetGateway(
            options.slots, refusal_s=options.refusal, master_panics=options.master_panics, time_scale=scale, seed=seed,
            faults=faults,
        )  # fmt: skip
    if options.kind == "chain":
        return ChainNode(options.upstream, *options.lie, time_scale=scale, seed=seed, faults=faults)
    if options.kind == "discord":
        return DiscordApi(options.token or "t0ken", time_scale=scale, seed=seed, faults=faults)
    if options.kind == "replicate":
        return ReplicateApi(
            options.token or "r8_test", cold_start_s=options.cold_start, service_s=options.service, time_scale=scale,
            seed=seed, faults=faults,
        )  # fmt: skip
    return OpenAiApi(options.token, service_s=options.service, time_scale=scale, seed=seed, faults=faults)


async def run(simulator: Simulator, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with simulator.serve(host, port):
        sys.stdout.write(json.dumps({"url": simulator.url}) + "\n")
        sys.stdout.flush()
        await ended.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, build, run."""
    options = parser().parse_args(arguments)
    asyncio.run(run(build(options), options.host, options.port))


def _fault(text: str) -> Fault:
    return fault_from(json.loads(text))


def _slots(text: str) -> Capacity:
    given = json.loads(text)
    if isinstance(given, int):
        return given
    return {str(name): int(number) for name, number in given.items()}


if __name__ == "__main__":
    main()
