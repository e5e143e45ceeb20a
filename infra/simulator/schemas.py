"""Replicate's models: what input they take, checked as strictly as the tests want it, and what they give."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Output = Literal["image[]", "image", "video", "audio", "text", "text[]", "json"]
MODELS_FILE = Path(__file__).with_name("replicate_models.json")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "file": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """One hosted model. Official ones have no version to name and are always warm."""

    name: str
    version: str | None = None
    official: bool = True
    output: Output = "image[]"
    input: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    example_output: Any = None

    def completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The input with the defaults of what wasn't given."""
        defaults = {name: rule.get("default") for name, rule in self.input.items()}
        return {name: value for name, value in {**defaults, **given}.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with an input."""

    kind: str
    field: str
    description: str


def load_models(source: Mapping[str, Any] | Path | None) -> dict[str, Model]:
    """Models by owner/name, from a mapping or a file in the shape of `replicate_models.json` (the default)."""
    if source is None:
        source = MODELS_FILE
    data: Mapping[str, Any] = json.loads(source.read_text()) if isinstance(source, Path) else source
    return {name: entry if isinstance(entry, Model) else Model(name, **entry) for name, entry in data.items()}


def complaints(model: Model, given: Mapping[str, Any], *, strict: bool) -> list[Complaint]:
    """All that is wrong; the real API lets unknown names pass, `strict` doesn't."""
    return [*_missing(model, given), *_unknown(model, given, strict=strict), *_wrong(model, given)]


def problem_of(found: list[Complaint]) -> dict[str, Any]:
    """Replicate's body of a 422."""
    lines = [f"- {entry.field}: {entry.description}" for entry in found]
    return {
        "title": "Input validation failed",
        "detail": "\n".join(lines) + "\n",
        "status": 422,
        "invalid_fields": [
            {"type": entry.kind, "field": entry.field, "description": entry.description} for entry in found
        ],
    }


def json_schema(model: Model) -> dict[str, Any]:
    """The model's input as the OpenAPI that Replicate keeps with each version."""
    properties = {}
    for name, rule in model.input.items():
        kept = {key: rule[key] for key in ("minimum", "maximum", "enum", "default") if rule.get(key) is not None}
        shape = {"type": "string", "format": "uri"} if rule["type"] == "file" else {"type": rule["type"]}
        properties[name] = {**shape, **kept}
    required = [name for name, rule in model.input.items() if rule.get("required")]
    return {"components": {"schemas": {"Input": {"type": "object", "properties": properties, "required": required}}}}


def _missing(model: Model, given: Mapping[str, Any]) -> Iterator[Complaint]:
    for name, rule in model.input.items():
        if rule.get("required") and name not in given:
            yield Complaint("required", "input", f"{name} is required")


def _unknown(model: Model, given: Mapping[str, Any], *, strict: bool) -> Iterator[Complaint]:
    for name in given.keys() - model.input.keys() if strict else ():
        yield Complaint("additional_property_not_allowed", "input", f"Additional property {name} is not allowed")


def _wrong(model: Model, given: Mapping[str, Any]) -> Iterator[Complaint]:
    for name, value in given.items():
        reason = _reason(model.input[name], value) if name in model.input else None
        if reason is not None:
            yield Complaint(reason[0], f"input.{name}", reason[1])


def _reason(rule: Mapping[str, Any], value: Any) -> tuple[str, str] | None:
    wanted = rule["type"]
    if not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        return (
            "invalid_type",
            f"Invalid type. Expected: {'string' if wanted == 'file' else wanted}, given: {_named(value)}",
        )
    if wanted == "file" and not str(value).startswith(("https://", "http://", "data:")):
        return "format", "Does not match format 'uri'"
    if rule.get("enum") and value not in rule["enum"]:
        return "enum", f"Must be one of the following: {', '.join(json.dumps(choice) for choice in rule['enum'])}"
    if rule.get("minimum") is not None and value < rule["minimum"]:
        return "number_gte", f"Must be greater than or equal to {rule['minimum']}"
    if rule.get("maximum") is not None and value > rule["maximum"]:
        return "number_lte", f"Must be less than or equal to {rule['maximum']}"
    return None


def _named(value: Any) -> str:
    names = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
    return names.get(type(value), "null")
