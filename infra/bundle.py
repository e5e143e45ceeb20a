"""One zip a function, as Google's buildpack builds it: `main.py`, `requirements.txt` and the package `spillway/`.

    python infra/bundle.py [--into build] [NAME ...]

Equal sources give equal bytes on every machine: the order, times and modes are fixed, and nothing is compressed, as
releases of zlib differ in what they write. Only the standard library is used, so any Python builds them.
"""

import argparse
import hashlib
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "shared/spillway"
# What only the command line uses: a change of it is no new release of a function.
LEFT_OUT = frozenset({"cli", "loadtest", "simulation", "__pycache__"})
# What the package is made of. Beside it lies what editors and desktops leave, and a .env is nobody's but its owner's.
KINDS = frozenset({".py", ".toml", ".html", ".css", ".js"})
# zipfile's own default is 0600, which the buildpack's unprivileged user can't read.
MODE = stat.S_IFREG | 0o644
# The first moment that a zip can name.
MOMENT = (1980, 1, 1, 0, 0, 0)


def names() -> list[str]:
    """The functions that there are, by their folders."""
    return sorted(main.parent.name for main in ROOT.glob("functions/*/main.py"))


def members(name: str, root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """The files of a function's bundle: path inside, file."""
    for own in ("main.py", "requirements.txt"):
        yield own, root / "functions" / name / own
    for file in sorted((root / PACKAGE).rglob("[!.]*")):
        inside = file.relative_to(root / PACKAGE)
        if file.suffix in KINDS and not LEFT_OUT & set(inside.parts):
            yield f"spillway/{inside.as_posix()}", file


def bundle(name: str, into: Path, root: Path = ROOT) -> Path:
    """Write `into/NAME.zip` out of the checkout at `root`. Raises FileNotFoundError where the function lacks a file."""
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for inside, file in members(name, root):
            entry = zipfile.ZipInfo(inside, MOMENT)
            entry.create_system = 3
            entry.external_attr = MODE << 16
            archive.writestr(entry, file.read_bytes())
    return path


def main() -> None:
    """Bundle the functions that are named, or all."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    line.add_argument("names", nargs="*", metavar="NAME", help="default: every folder in functions/")
    line.add_argument("--into", type=Path, default=ROOT / "build")
    options = line.parse_args()
    for name in options.names or names():
        path = bundle(name, options.into)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        sys.stdout.write(f"{path}  {path.stat().st_size / 1024:.0f} KiB  sha256 {digest}\n")


if __name__ == "__main__":
    main()
