"""The bundles: the same bytes each time, and each starts by itself as Google's buildpack starts it."""

import compileall
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import bundle
from support.front_door import free_port
from support.waiting import until_it_answers

NAMES = bundle.names()
START_S = 60.0


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every bundle, unpacked into a folder of its name."""
    folder = tmp_path_factory.mktemp("bundles")
    for name in NAMES:
        with zipfile.ZipFile(bundle.bundle(name, folder)) as archive:
            archive.extractall(folder / name)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_equal_sources_give_equal_bytes(name: str, tmp_path: Path) -> None:
    first, second = bundle.bundle(name, tmp_path / "first"), bundle.bundle(name, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {bundle.MOMENT}


@pytest.mark.parametrize("name", NAMES)
def test_where_a_checkout_lies_and_what_lies_in_it_changes_nothing(name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "ein anderer Ort"
    for part in (f"functions/{name}", bundle.PACKAGE):
        shutil.copytree(bundle.ROOT / part, elsewhere / part)
    for file in elsewhere.rglob("*.py"):
        file.chmod(0o600)
    for stray in (".DS_Store", ".env", "domain/.keys.py.swp", "edge/app.py~", "edge/app.py.orig", "services/old.pyc"):
        (elsewhere / bundle.PACKAGE / stray).write_text("KEY=secret")
    here, there = bundle.bundle(name, tmp_path / "here"), bundle.bundle(name, tmp_path / "there", elsewhere)
    assert here.read_bytes() == there.read_bytes()


def test_all_that_is_under_version_control_is_of_a_kind_that_is_bundled() -> None:
    listed = subprocess.run(
        ["git", "ls-files", bundle.PACKAGE], cwd=bundle.ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no checkout of git's")
    assert {Path(file).suffix for file in listed.stdout.splitlines()} == bundle.KINDS


@pytest.mark.parametrize("name", NAMES)
def test_bundle_holds_what_the_buildpack_needs(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle.bundle(name, tmp_path)) as archive:
        entries = archive.infolist()
    assert {"main.py", "requirements.txt", "spillway/__init__.py"} < {entry.filename for entry in entries}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert not [entry.filename for entry in entries if "__pycache__" in entry.filename]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_compiles(name: str, unpacked: Path) -> None:
    assert compileall.compile_dir(unpacked / name, quiet=1, force=True)


@contextmanager
def started(name: str, folder: Path, python: Path) -> Iterator[str]:
    """The function under the bare command, in its own folder, with nothing of this repository on its path."""
    port = free_port()
    variables = {
        "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
        "PORT": str(port),
        "FUNCTION_TARGET": name,
        "SPILLWAY_QUEUE": "pubsub://nobody",
        "SPILLWAY_STATE": f"sqlite:///{folder.parent}/{name}.db",
    }
    process = subprocess.Popen([python.with_name("functions-framework")], cwd=folder, env=variables)
    try:
        until_it_answers(process, url := f"http://127.0.0.1:{port}/")
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("name", NAMES)
def test_function_starts_by_the_bare_command(name: str, unpacked: Path, environments: dict[str, Path]) -> None:
    with started(name, unpacked / name, environments[name]) as url:
        assert httpx.get(url, timeout=START_S, trust_env=False).status_code < 500
