"""Google's emulators of Firestore and Pub/Sub, each started once for all tests that ask for it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.front_door import free_port
from support.waiting import until_it_answers

SDK = Path(os.environ.get("CLOUDSDK_ROOT", "/usr/lib/google-cloud-sdk"))
JAVA = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.language=en"]


@dataclass(frozen=True)
class Emulator:
    """One of Google's emulators: a Java archive in the SDK, by a pattern, and its main class."""

    name: str
    archive: str
    main: str


FIRESTORE = Emulator(
    "Firestore",
    "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
)
PUBSUB = Emulator(
    "Pub/Sub",
    "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    "com.google.cloud.pubsub.testing.v1.Main",
)


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """Its host and port. CI has it; elsewhere tests without it are skipped."""
    yield from _address(FIRESTORE)


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[str]:
    """Its host and port. CI has it; elsewhere tests without it are skipped."""
    yield from _address(PUBSUB)


@pytest.fixture
def firestore_host(firestore_emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator, where Google's library looks for it. A project of its own keeps a test apart from others."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    return firestore_emulator


@pytest.fixture
def pubsub_host(pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The emulator, where adapters look for it. A project of its own keeps a test apart from others."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    return pubsub_emulator


def _address(emulator: Emulator) -> Iterator[str]:
    missing = _missing(emulator)
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with running(emulator) as address:
        yield address


def _missing(emulator: Emulator) -> str | None:
    if not list(SDK.glob(emulator.archive)):
        return f"there is no {emulator.name} emulator in {SDK} (set CLOUDSDK_ROOT)"
    return None if shutil.which("java") else f"the {emulator.name} emulator needs java"


@contextmanager
def running(emulator: Emulator) -> Iterator[str]:
    """Start it on a free port and stop it at the end."""
    with started(emulator) as (address, _):
        yield address


@contextmanager
def started(emulator: Emulator) -> "Iterator[tuple[str, subprocess.Popen[bytes]]]":
    """As `running`, with its process, for whoever wants it to fall silent."""
    port = free_port()
    archive = str(max(SDK.glob(emulator.archive)))
    process = subprocess.Popen(
        [*JAVA, "-cp", archive, emulator.main, "--host=127.0.0.1", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until_it_answers(process, f"http://127.0.0.1:{port}/", status=200)
        yield f"127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(15)
