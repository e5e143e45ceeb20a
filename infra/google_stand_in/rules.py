"""What a schema can't say and the provider refuses all the same: enumerations, forms of names, ranges, exclusions.

The rules are in `rules.toml`, from the provider's documentation and Google's, for what this repository uses.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google_stand_in.schema import Block, walk
from google_stand_in.values import is_unknown

FILE = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True)
class Fault:
    """A value that the provider would refuse."""

    path: str
    why: str


class Rules:
    """The rules of all resources."""

    def __init__(self, path: Path = FILE):
        self._of: dict[str, dict[str, Any]] = tomllib.loads(path.read_text())

    def faults(self, kind: str, block: Block, config: Mapping[str, Any]) -> Iterator[Fault]:
        """What is wrong with a resource's arguments. What is not known yet is not looked at."""
        rules = self._of.get(kind, {})
        written = list(walk(block, config))
        for path, value in written:
            if path in rules and not is_unknown(value):
                yield from (Fault(path, why) for one in _each(value) if (why := _refusal(rules[path], one)))
        present = {path for path, _ in written} | {name for name in block.nested if config.get(name)}
        for names in rules.get("exactly_one", []):
            unsure = any(is_unknown(config.get(name)) for name in names)
            if len(present & set(names)) != 1 and not unsure:
                yield Fault(names[0], f"exactly one of {', '.join(names)} must be given")
        for path in rules.get("needed", []):
            if path not in present:
                yield Fault(path, "is optional in the schema, and needed all the same")


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _refusal(rule: Mapping[str, Any], value: Any) -> str | None:
    if is_unknown(value):
        return None
    if "one_of" in rule and value not in rule["one_of"]:
        return f"{value!r} is none of {', '.join(map(str, rule['one_of']))}"
    if "form" in rule and not re.fullmatch(rule["form"], str(value)):
        return f"{value!r} has not the form {rule['form']}"
    if "within" in rule and not rule["within"][0] <= float(value) <= rule["within"][1]:
        return f"{value!r} is not within {rule['within'][0]} to {rule['within'][1]}"
    return None
