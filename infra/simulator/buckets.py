"""Objects of one bucket: whole, with generations and checksums, changed only on the conditions that a call names."""

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import google_crc32c

SHOWN = ("contentType", "customTime", "metadata", "cacheControl")


class ConditionError(Exception):
    """412: the object is not as the call demands."""


class MissingError(Exception):
    """404: there is no such object."""


class BadObjectError(Exception):
    """400: what came is not what was said to come, or a time goes backwards."""


@dataclass(slots=True)
class Stored:
    """One object. `generation` is its content's, `metageneration` its description's."""

    name: str
    data: bytes = field(repr=False)
    generation: int
    properties: dict[str, Any]
    metageneration: int = 1
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def crc32c(self) -> str:
        """As Google writes it."""
        return base64.b64encode(google_crc32c.Checksum(self.data).digest()).decode()

    @property
    def md5(self) -> str:
        """As Google writes it."""
        return base64.b64encode(hashlib.md5(self.data).digest()).decode()

    def resource(self, bucket: str) -> dict[str, Any]:
        """The object's description."""
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "size": str(len(self.data)),
            "crc32c": self.crc32c,
            "md5Hash": self.md5,
            "updated": self.updated.isoformat().replace("+00:00", "Z"),
            **{name: value for name, value in self.properties.items() if name in SHOWN},
        }


class Bucket:
    """One bucket, by its name; every call is atomic."""

    def __init__(self, name: str) -> None:
        """Empty."""
        self.name = name
        self.objects: dict[str, Stored] = {}
        self._generations = itertools.count(1_790_000_000_000_001)

    def resource(self, stored: Stored) -> dict[str, Any]:
        """The description of one of its objects."""
        return stored.resource(self.name)

    def find(self, name: str) -> Stored:
        """The object of this name."""
        if name not in self.objects:
            raise MissingError(f"No such object: {self.name}/{quote(name)}")
        return self.objects[name]

    def check(self, name: str, conditions: Mapping[str, str]) -> None:
        """Refuse a call whose `ifGenerationMatch` or `ifMetagenerationMatch` is not met."""
        stored = self.objects.get(name)
        generation = str(stored.generation) if stored else "0"
        if conditions.get("ifGenerationMatch", generation) != generation:
            raise ConditionError("At least one of the pre-conditions you specified did not hold.")
        if stored and conditions.get("ifMetagenerationMatch", str(stored.metageneration)) != str(stored.metageneration):
            raise ConditionError("At least one of the pre-conditions you specified did not hold.")

    def put(self, properties: dict[str, Any], data: bytes, conditions: Mapping[str, str]) -> Stored:
        """Write a whole object over whatever was there, once its checksums and the conditions hold."""
        name = str(properties["name"])
        self.check(name, conditions)
        stored = Stored(name, data, next(self._generations), properties)
        if (
            properties.get("crc32c", stored.crc32c) != stored.crc32c
            or properties.get("md5Hash", stored.md5) != stored.md5
        ):
            raise BadObjectError("Provided checksum does not match the calculated one.")
        self.objects[name] = stored
        return stored

    def patch(self, name: str, changes: Mapping[str, Any], conditions: Mapping[str, str]) -> Stored:
        """Change the description; a custom time never goes backwards."""
        stored = self.find(name)
        self.check(name, conditions)
        was, wanted = stored.properties.get("customTime"), changes.get("customTime")
        if was and wanted and datetime.fromisoformat(wanted) < datetime.fromisoformat(was):
            raise BadObjectError("Custom time cannot be set to an earlier time.")
        stored.properties = {**stored.properties, **changes}
        stored.metageneration += 1
        stored.updated = datetime.now(UTC)
        return stored

    def delete(self, name: str, conditions: Mapping[str, str]) -> None:
        """Remove the object."""
        self.find(name)
        self.check(name, conditions)
        del self.objects[name]
