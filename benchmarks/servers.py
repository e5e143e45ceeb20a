"""Starts what is measured, each in processes of its own on loopback, and reads what it costs the processor."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
TICKS_S = os.sysconf("SC_CLK_TCK")

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


class Server:
    """A started server: `port`, and the processor time of its process and its children."""

    def __init__(self, process: subprocess.Popen[bytes], port: int):
        self._process = process
        self.port = port

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(_ticks(pid) for pid in [self._process.pid, *_children(self._process.pid)]) / TICKS_S

    def memory_mb(self) -> float:
        """What the process holds of the machine's memory now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str | Path], port: int, **env: str) -> Iterator[Server]:
    """A server from its command; it is up when its port answers."""
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def upstream() -> Iterator[Server]:
    """The fast fixed upstream."""
    port = free_port()
    with started(_uvicorn("upstream:app", port), port) as server:
        yield server


@contextmanager
def nginx(up: int) -> Iterator[Server]:
    """nginx as a reverse proxy with one worker and kept connections."""
    found = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not found:
        sys.exit("nginx is missing: apt-get install nginx-light")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, upstream=up, port=port))
        with started([found, "-c", config, "-p", folder], port) as server:
            yield server


@contextmanager
def bare(up: int) -> Iterator[Server]:
    """The bare pass-through under uvicorn."""
    port = free_port()
    with started(_uvicorn("bare:app", port), port, UPSTREAM=f"http://127.0.0.1:{up}") as server:
        yield server


@contextmanager
def function(source: Path, target: str, **env: str) -> Iterator[Server]:
    """A function under functions-framework, as it is deployed."""
    port = free_port()
    with started(framework(source, target, port), port, **env) as server:
        yield server


@contextmanager
def spillway(up: int) -> Iterator[Server]:
    """`spillway serve` with everything on but decoding."""
    port = free_port()
    with started([BIN / "spillway", "serve", "--port", str(port)], port, **spillway_env(up)) as server:
        yield server


def spillway_env(up: int) -> dict[str, str]:
    """The settings of the front door under test."""
    return {
        "SPILLWAY_SUBNET_URL": f"http://127.0.0.1:{up}",
        "SPILLWAY_VERIFY": "none",
        "SPILLWAY_AUTH": "none",
        "REPLICATE_API_TOKEN": "r8_unused",
    }


def framework(source: Path, target: str, port: int) -> list[str | Path]:
    """The command that Google's buildpack starts."""
    return [
        BIN / "functions-framework",
        "--source",
        source,
        "--target",
        target,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]


def _uvicorn(app: str, port: int) -> list[str | Path]:
    command = ["-m", "uvicorn", app, "--port", str(port), "--no-access-log", "--log-level", "error"]
    return [sys.executable, *command, "--app-dir", HERE / "peers"]


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.002)
        else:
            return
    sys.exit(f"{process.args} ended with {process.returncode}")


def _children(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [grandchild for child in found for grandchild in _children(child)]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
