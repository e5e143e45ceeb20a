"""The provider's schema: which resources there are, and their arguments, blocks and computed attributes.

The data are of hashicorp/google 6.50.0 (see NOTICE), as `extract.py` takes them out of a package on PyPI:
`{"version", "resources" | "data" | "provider": {TYPE: block}}`, where a block is
`{"args": {NAME: [TYPE, required]}, "blocks": {NAME: [block, required, single]}, "computed": {NAME: TYPE}}`.
"""

import gzip
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("schema.json.gz")

Type = str | list[Any]
"""A type as Terraform writes it in JSON: "string", ["list", "string"] and so on."""


@dataclass(frozen=True)
class Block:
    """What may stand between two braces."""

    required: Mapping[str, Type]
    optional: Mapping[str, Type]
    computed: Mapping[str, Type]
    nested: "Mapping[str, Nested]"

    @cached_property
    def settled(self) -> dict[str, Type]:
        """What the provider fills in where nothing is written."""
        return {**self.optional, **self.computed}

    @cached_property
    def attributes(self) -> dict[str, Type]:
        """All attributes with their types."""
        return {**self.required, **self.settled}


@dataclass(frozen=True)
class Nested:
    """A block inside a block."""

    block: Block
    required: bool
    single: bool


@dataclass(frozen=True)
class Schema:
    """All that the provider offers."""

    version: str
    provider: Block
    resources: Mapping[str, Block]
    data: Mapping[str, Block]

    def only(self, kinds: Collection[str]) -> "Schema":
        """The part that is about these types."""
        return replace(self, resources=_part(self.resources, kinds), data=_part(self.data, kinds))


def load(path: Path = DATA) -> Schema:
    """The schema in a file."""
    with gzip.open(path, "rt") as file:
        raw = json.load(file)
    return Schema(
        raw["version"], _block(next(iter(raw["provider"].values()))), _blocks(raw["resources"]), _blocks(raw["data"])
    )


def walk(block: Block, value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every attribute that is written in a value, by its path without indices."""
    for name in block.attributes:
        if value.get(name) is not None:
            yield f"{path}{name}", value[name]
    for name, nested in block.nested.items():
        written = value.get(name)
        for inner in written if isinstance(written, list) else []:
            yield from walk(nested.block, inner, f"{path}{name}.")


def _part(blocks: Mapping[str, Block], kinds: Collection[str]) -> dict[str, Block]:
    return {kind: block for kind, block in blocks.items() if kind in kinds}


def _blocks(raw: Mapping[str, Any]) -> dict[str, Block]:
    return {name: _block(block) for name, block in raw.items()}


def _block(raw: Mapping[str, Any]) -> Block:
    return Block(
        required={name: type_ for name, (type_, required) in raw["args"].items() if required},
        optional={name: type_ for name, (type_, required) in raw["args"].items() if not required},
        computed=raw.get("computed", {}),
        nested={
            name: Nested(_block(block), required, single) for name, (block, required, single) in raw["blocks"].items()
        },
    )
