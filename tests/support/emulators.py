"""Google's Firestore emulator, started once for all tests that ask for it."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.front_door import free_port

SDK = Path(os.environ.get("CLOUDSDK_ROOT", "/usr/lib/google-cloud-sdk"))
FIRESTORE = SDK / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
START_S = 60.0


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """Its host and port. CI has it; elsewhere tests without it are skipped."""
    missing = _missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with _running() as address:
        yield address


@pytest.fixture
def firestore_host(firestore_emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator, where Google's library looks for it. A project of its own keeps a test apart from others."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    return firestore_emulator


def _missing() -> str | None:
    if not FIRESTORE.exists():
        return f"there is no Firestore emulator in {SDK} (set CLOUDSDK_ROOT)"
    return None if shutil.which("java") else "the Firestore emulator needs java"


@contextmanager
def _running() -> Iterator[str]:
    port = free_port()
    command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.language=en"]
    main = ["-cp", str(FIRESTORE), "com.google.cloud.datastore.emulator.firestore.CloudFirestore"]
    process = subprocess.Popen(
        [*command, *main, "--host=127.0.0.1", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the Firestore emulator ended with {process.returncode}")
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"the Firestore emulator is not ready after {START_S:g} s")
