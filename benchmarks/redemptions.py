"""Redemptions a second in a backfill beside bare eth_getLogs over the same range, and memory over 100,000 of them.

    .venv/bin/python benchmarks/redemptions.py [--events 100000] [--runs 3]

Needs anvil (`make tests/chain/node_modules`). Node, backfill and load share the machine, so ratios say more than rates.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from spillway.adapters.json_rpc import LOGS, Node  # noqa: E402 (the path above)
from spillway.assembly.redemptions import open_house  # noqa: E402 (the path above)
from spillway.domain.block_ranges import RangeSize  # noqa: E402 (the path above)
from spillway.domain.chain_answers import Question  # noqa: E402 (the path above)
from spillway.settings import Settings  # noqa: E402 (the path above)
from support.chain import CHAIN_ID, GATEWAY, Anvil, Won, anvil, orchestrator  # noqa: E402 (the path above)

PARTS = 10
PAGE = os.sysconf("SC_PAGE_SIZE")


def fill(node: Anvil, events: int, in_each: int) -> None:
    """A chain with so many redemptions, some in each block."""
    for number in range(events // in_each):
        node.redeem_many(in_each, Won(orchestrator(number % 100)))


async def bare(url: str, broker: str, last: int) -> float:
    """Seconds that the logs take alone, in ranges as the backfill asks for them."""
    node, size, first = Node(url), RangeSize(), 0
    began = time.perf_counter()
    while first <= last:
        begin, end = size.range(first, last)
        logs = await node.call(LOGS, Question(broker, (GATEWAY,), begin, end).filter())
        size, first = size.grown(end - begin + 1, len(logs)), end + 1
    took = time.perf_counter() - began
    await node.close()
    return took


async def backfill(url: str, broker: str, state: Path) -> tuple[int, float, list[int]]:
    """Redemptions, seconds, and the resident megabytes at each tenth of the way."""
    settings = Settings(
        rpc_url=(url,), chain_id=CHAIN_ID, ticket_broker=broker, senders=(GATEWAY,), confirmations=0,
        state=f"sqlite:///{state}",
    )  # fmt: skip
    house, memory = open_house(settings), dict[int, int]()

    def progress(first: int, at: int, last: int) -> None:
        memory.setdefault((at - first) * PARTS // max(1, last - first), resident_mb())

    began = time.perf_counter()
    report = await house.backfill(0, told=True).round(progress=progress)
    took = time.perf_counter() - began
    await house.close()
    assert report.whole, report
    return report.found, took, [memory[part] for part in sorted(memory)]


def resident_mb() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE // 2**20


def child(url: str, broker: str) -> str:
    """A backfill in a process of its own: what it prints."""
    command = [sys.executable, __file__, "--child", url, broker]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rows(node: Anvil, runs: int) -> Iterator[tuple[float, float, int, list[int]]]:
    """Seconds of the backfill, seconds of bare logs, redemptions, memory; one after the other in each run."""
    for _ in range(runs):
        found, took, *memory = child(node.url, node.broker).split()
        alone = asyncio.run(bare(node.url, node.broker, node.height))
        yield float(took), alone, int(found), list(map(int, memory))


def measure(events: int, in_each: int, runs: int) -> None:
    """One row of the table: medians, and memory of the last run."""
    with anvil() as node:
        fill(node, events, in_each)
        results = list(rows(node, runs))
    took = statistics.median(result[0] for result in results)
    ratio = statistics.median(result[0] / result[1] for result in results)
    found, memory = results[-1][2:]
    print(
        f"| {found:,} | {in_each} | {found / took:,.0f} | {found / (took / ratio):,.0f} | {ratio:.1f} | "
        f"{' '.join(map(str, memory))} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("--events", type=int, default=100_000)
    line.add_argument("--runs", type=int, default=3)
    line.add_argument("--child", nargs=2, metavar=("URL", "BROKER"))
    options = line.parse_args()
    if options.child:
        with tempfile.TemporaryDirectory() as folder:
            found, took, memory = asyncio.run(backfill(*options.child, Path(folder) / "state.db"))
        print(found, took, *memory)
        return
    print("| redemptions | in a block | backfill, a second | bare eth_getLogs | ratio | resident MB by tenths |")
    print("|---|---|---|---|---|---|")
    measure(options.events // 50, 1, options.runs)
    measure(options.events // 5, 10, options.runs)
    measure(options.events, 100, options.runs)


if __name__ == "__main__":
    main()
