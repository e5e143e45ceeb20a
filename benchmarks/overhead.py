"""What the front door adds: processor time, latency and rate beside nginx and a bare pass-through, in one run.

    .venv/bin/python benchmarks/overhead.py [--seconds 4] [--rounds 3]

Prints the tables of docs/performance.md. The figure that holds on a noisy machine is processor time a request; each
server is measured in turn, `rounds` times, and the median counts. Needs nginx and wrk (Debian's packages).
"""

import argparse
import compileall
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import servers
from servers import HERE, Server

CONNECTIONS = (1, 16, 64)
ASKED = '{"prompt":"a lighthouse in a storm","model_id":"stabilityai/sdxl-turbo","width":1024,"height":576}'
LUA = f"""
wrk.method = "POST"
wrk.body = '{ASKED}'
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %d %d %f %f %f\\n", summary.requests, bad, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""
GATEWAY = HERE.parent / "functions/gateway/main.py"


@dataclass
class Run:
    """One measurement: microseconds of processor a request, requests a second, milliseconds of latency."""

    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float


def load(server: Server, connections: int, seconds: float) -> Run:
    """wrk against a server; any answer that is no success ends the benchmark."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA)
        script.flush()
        url = f"http://127.0.0.1:{server.port}/text-to-image"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, url]
        before = server.cpu_seconds()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        spent = server.cpu_seconds() - before
    found = re.search(r"RESULT (\d+) (\d+) (\S+) (\S+) (\S+)", said)
    if not found or int(found[2]):
        sys.exit(f"not every request succeeded:\n{said}")
    requests = int(found[1])
    return Run(spent / requests * 1e6, requests / float(found[3]), float(found[4]), float(found[5]))


def measure(rounds: int, seconds: float) -> dict[str, dict[int, Run]]:
    """Every server at every number of connections; medians over the rounds."""
    runs: dict[str, dict[int, list[Run]]] = {}
    with servers.upstream() as up:
        kinds: dict[str, Callable[[], AbstractContextManager[Server]]] = {
            "nginx": lambda: servers.nginx(up.port),
            "bare ASGI + aiohttp": lambda: servers.bare(up.port),
            "bare, functions-framework": lambda: servers.function(
                HERE / "peers/bare_function/main.py", "function", UPSTREAM=f"http://127.0.0.1:{up.port}"
            ),
            "spillway serve": lambda: servers.spillway(up.port),
            "spillway, functions-framework": lambda: servers.function(
                GATEWAY, "gateway", **servers.spillway_env(up.port)
            ),
        }
        for _ in range(rounds):
            for name, start in kinds.items():
                with start() as server:
                    load(server, 16, 1)
                    for connections in CONNECTIONS:
                        runs.setdefault(name, {}).setdefault(connections, []).append(load(server, connections, seconds))
    return {name: {c: _median(found) for c, found in by.items()} for name, by in runs.items()}


def _median(runs: list[Run]) -> Run:
    fields = ("cpu_us", "rate", "p50_ms", "p99_ms")
    return Run(*(statistics.median(getattr(run, field) for run in runs) for field in fields))


def cold_start(rounds: int) -> dict[str, float]:
    """Seconds from the start of the process to the first 200, through functions-framework."""
    # As the buildpack does with a function, and pip with the libraries of both: also where Python writes no bytecode.
    for folder in (HERE.parent / "shared", GATEWAY.parent, HERE / "peers"):
        compileall.compile_dir(folder, quiet=1)
    took: dict[str, list[float]] = {}
    kinds = {
        "empty function, same libraries": (HERE / "peers/empty_function/main.py", "function"),
        "gateway": (GATEWAY, "gateway"),
    }
    for _ in range(rounds):
        for name, (source, target) in kinds.items():
            start = time.monotonic()
            with servers.function(source, target, **servers.spillway_env(9)):
                took.setdefault(name, []).append(time.monotonic() - start)
    return {name: statistics.median(found) for name, found in took.items()}


def report(results: dict[str, dict[int, Run]], starts: dict[str, float]) -> str:
    """The tables in Markdown, with ratios to the bare pass-through."""
    reference = results["bare ASGI + aiohttp"]
    lines = [
        "| server | connections | CPU a request, us | of the bare one | requests/s | p50, ms | p99, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, by in results.items():
        for connections, run in by.items():
            ratio = run.cpu_us / reference[connections].cpu_us
            lines.append(
                f"| {name} | {connections} | {run.cpu_us:.0f} | {ratio:.2f} | {run.rate:.0f} | {run.p50_ms:.2f} |"
                f" {run.p99_ms:.2f} |"
            )
    empty = starts["empty function, same libraries"]
    lines += ["", "| cold start | s | of the empty one |", "|---|---|---|"]
    lines += [f"| {name} | {seconds:.2f} | {seconds / empty:.2f} |" for name, seconds in starts.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    print(report(measure(asked.rounds, int(asked.seconds)), cold_start(max(5, asked.rounds))))


if __name__ == "__main__":
    main()
