"""GET /openapi.json: the Livepeer pipelines and OpenAI's paths, from the very models that check the requests."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from spillway import __version__
from spillway.domain.pipelines import PIPELINES, Pipeline
from spillway.edge.openai import ChatFields, ImagesFields
from spillway.edge.parameters import FIELDS, FILES

_KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "sw_ID_SECRET",
    "description": "A key from `spillway keys create`, where SPILLWAY_AUTH=keys; any word where it is none.",
}
_REFUSALS = {
    "401": {"description": "No key, or one that is not known or was revoked."},
    "403": {"description": "The key is not for this, or not for this web page."},
    "429": {"description": "Too fast for the key, or the day's money is spent; Retry-After says when to come again."},
    "503": {"description": "No backend has room, or keys can't be checked just now; Retry-After says when to come."},
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths = {pipeline.path: {"post": _pipeline(pipeline)} for pipeline in PIPELINES.values()}
    paths["/v1/chat/completions"] = {"post": _operation("A chat answer, whole or streamed.", _json(ChatFields))}
    paths["/v1/images/generations"] = {"post": _operation("Pictures from text.", _json(ImagesFields))}
    paths["/v1/models"] = {"get": _operation("The models that can be asked for by name.", None)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Spillway", "version": __version__},
        "paths": paths,
        "security": [{"key": []}],
        "components": {"securitySchemes": {"key": _KEY}},
    }


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    schema = FIELDS[pipeline.name].model_json_schema()
    if pipeline.encoding == "json":
        return _operation(f"The {pipeline.name} pipeline.", {"application/json": {"schema": schema}})
    file = FILES[pipeline.name]
    schema["properties"][file] = {"type": "string", "format": "binary"}
    schema["required"] = [*schema.get("required", []), file]
    return _operation(f"The {pipeline.name} pipeline.", {"multipart/form-data": {"schema": schema}})


def _json(fields: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": fields.model_json_schema()}}


def _operation(summary: str, content: dict[str, Any] | None) -> dict[str, Any]:
    steering = [
        _header("X-Spillway-Prefer", {"enum": ["subnet", "fallback", "subnet-only", "fallback-only"]}),
        _header("X-Spillway-Deadline", {"type": "number", "exclusiveMinimum": 0}),
    ]
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer."},
            **_REFUSALS,
            "default": {"description": "An error, in words."},
        },
    }
    if content:
        operation |= {"requestBody": {"required": True, "content": content}, "parameters": steering}
    return operation


def _header(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema}
