"""What is shipped: bills of materials, licences, and the audit's honesty."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

import bundle
from supply_chain import licences, requirements, sbom
from support.front_door import free_port

NAMES = bundle.names()


def canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def is_installed(package: str) -> bool:
    """Whether it is here: the lock also names what only other systems install."""
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def test_nothing_without_a_licence_is_shipped() -> None:
    assert licences.SILENT & set(licences.shipped()) == set()


@pytest.mark.parametrize(
    "package", sorted(set(filter(is_installed, requirements.pinned(requirements.LOCK))) - licences.SILENT)
)
def test_licence_is_known_and_allowed(package: str) -> None:
    expression = licences.licence(package)
    assert expression is not None
    assert licences.is_allowed(expression), expression


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT AND PSF-2.0) OR GPL-3.0-only", True),
    ],
)
def test_one_alternative_must_be_allowed_whole(expression: str, allowed: bool) -> None:
    assert licences.is_allowed(expression) == allowed


def test_page_of_licences_is_of_today() -> None:
    assert licences.PAGE.read_text() == licences.page(), "make sbom writes it"


@pytest.mark.parametrize("name", sorted(names[0] for names in requirements.distinct().values()))
def test_bill_names_every_package_with_its_licence(name: str, environments: dict[str, Path], tmp_path: Path) -> None:
    bill = json.loads(sbom.write(environments[name], tmp_path / "bill.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "spillway")
    listed = {canonical(component["name"]): component["version"] for component in bill["components"]}
    assert listed == requirements.pinned(requirements.of_function(name))
    assert [component["name"] for component in bill["components"] if not component.get("licenses")] == []
    # Neither a moment nor chance is in it, so that equal requirements give equal bills.
    assert ("timestamp" in bill["metadata"], "serialNumber" in bill) == (False, False)


class Osv(BaseHTTPRequestHandler):
    """A database of weaknesses that knows one, of `click`, where its server is told so."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        known: list[dict[str, Any]] = self.server.known  # type: ignore[attr-defined]
        body = json.dumps({"vulns": known} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def osv(*known: dict[str, Any]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    server.known = list(known)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def audited(url: str, tmp_path: Path) -> tuple[int, str]:
    """How the audit of one package ends, and what it says."""
    file = tmp_path / "requirements.txt"
    file.write_text(f"click==8.0.0 --hash=sha256:{'0' * 64}\n")
    command = [sys.executable, "-m", "supply_chain.audit", "--osv-url", url, str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


def test_a_package_that_nothing_is_known_against_is_clean(tmp_path: Path) -> None:
    with osv() as url:
        code, said = audited(url, tmp_path)
    assert (code, said.partition(": ")[2]) == (0, "nothing is known against 1 packages\n")


def test_a_known_weakness_is_named_and_fails(tmp_path: Path) -> None:
    fixed = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "8.0.1"}]}
    affected = {"package": {"name": "click", "ecosystem": "PyPI"}, "ranges": [fixed]}
    with osv({"id": "PYSEC-2026-1", "summary": "bad", "affected": [affected]}) as url:
        code, said = audited(url, tmp_path)
    assert (code, said.partition(": ")[2]) == (1, "click 8.0.0: PYSEC-2026-1, mended in 8.0.1\n")


def test_an_audit_that_asked_nobody_is_not_clean(tmp_path: Path) -> None:
    code, said = audited(f"http://127.0.0.1:{free_port()}/v1/query", tmp_path)
    assert code == 2
    assert "NOT CHECKED" in said
