"""Take the provider's schema out of the package cdktf-cdktf-provider-google, whose jsii assembly describes it whole.

    pip download --no-deps cdktf-cdktf-provider-google==16.12.1
    python -m google_stand_in.extract cdktf_cdktf_provider_google-16.12.1-py3-none-any.whl

Writes `schema.json.gz` beside itself; schema.py says what is in it. The package was archived with provider 6.50.0, so
the versions in `terraform/` are pinned to `~> 6.50`. An assembly doesn't tell sets from lists.
"""

import gzip
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from google_stand_in.schema import DATA, Type

_SIMPLE = {"string": "string", "number": "number", "boolean": "bool"}
_MAPS = {"cdktf.StringMap": "string", "cdktf.NumberMap": "number", "cdktf.BooleanMap": "bool"}
_COLLECTIONS = {"array": "list", "map": "map"}
_BASES = {"TerraformResource": "resources", "TerraformDataSource": "data", "TerraformProvider": "provider"}


class Assembly:
    """The types of a jsii assembly, by their full names."""

    def __init__(self, wheel: Path):
        with zipfile.ZipFile(wheel) as archive:
            (packed,) = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
            content = io.BytesIO(archive.read(packed))
        with tarfile.open(fileobj=content) as inner:
            member = inner.extractfile("package/.jsii")
            assert member is not None
            self.types: dict[str, Any] = json.load(member)["types"]

    def schema(self) -> dict[str, Any]:
        """Everything that the provider offers."""
        found: dict[str, Any] = {"resources": {}, "data": {}, "provider": {}}
        for name, type_ in self.types.items():
            summary = type_.get("docs", {}).get("summary", "")
            terraform = re.search(r"(google_\w+|google)\}\.$", summary)
            if type_.get("kind") != "class" or not terraform or f"{name}Config" not in self.types:
                continue
            found["version"] = re.search(r"google/([\d.]+)/", summary)[1]  # type: ignore[index]
            block = self._block(f"{name}Config")
            block["computed"] = _computed(type_, block)
            found[_BASES[type_["base"].rpartition(".")[2]]][terraform[1]] = block
        return found

    def _block(self, name: str) -> dict[str, Any]:
        block: dict[str, Any] = {"args": {}, "blocks": {}}
        for written in self.types[name].get("properties", []):
            kind, inner, many = _resolved(written["type"])
            required = not written.get("optional", False)
            if inner and self.types.get(inner, {}).get("kind") == "interface":
                block["blocks"][_terraform_name(written)] = [self._block(inner), required, not many]
            else:
                block["args"][_terraform_name(written)] = [kind, required]
        block["computed"] = _computed(self.types.get(f"{name}OutputReference", {}), block)
        return block


def _computed(type_: dict[str, Any], block: dict[str, Any]) -> dict[str, Type]:
    """What can be read and not written."""
    found = {}
    for written in type_.get("properties", []):
        name = _snake(written["name"])
        ours = written.get("static") or written["name"].endswith("Input") or written["name"] == "internalValue"
        if not ours and name not in block["args"] and name not in block["blocks"]:
            found[name] = _resolved(written["type"])[0]
    return found


def _resolved(written: dict[str, Any]) -> tuple[Type, str | None, bool]:
    """A jsii type as Terraform's type, the interface that a block is made of, and whether there may be several."""
    if "primitive" in written:
        return _SIMPLE.get(written["primitive"], "dynamic"), None, False
    if "union" in written:
        choices = [_resolved(one) for one in written["union"]["types"] if one.get("fqn") != "cdktf.IResolvable"]
        return min(choices, key=lambda choice: choice[1] is None, default=("dynamic", None, False))
    if "collection" in written:
        inner, interface, _ = _resolved(written["collection"]["elementtype"])
        return [_COLLECTIONS[written["collection"]["kind"]], inner], interface, True
    name = written.get("fqn", "")
    if name in _MAPS:
        return ["map", _MAPS[name]], None, False
    if name == "cdktf.IResolvable":
        return "bool", None, False
    return "dynamic", name if name.startswith("@cdktf/") else None, False


def _terraform_name(written: dict[str, Any]) -> str:
    named = re.search(r"#(\w+) ", written.get("docs", {}).get("remarks", ""))
    return named[1] if named else _snake(written["name"])


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def main(wheel: Path) -> None:
    """Write the schema of a wheel."""
    text = json.dumps(Assembly(wheel).schema(), separators=(",", ":"))
    DATA.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
