"""GET /openapi.json: the Livepeer pipelines and OpenAI's paths, from the very models that check the requests."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from spillway import __version__
from spillway.domain.pipelines import PIPELINES, Pipeline
from spillway.edge.openai import ChatFields, ImagesFields
from spillway.edge.parameters import FIELDS, FILES


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
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
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
        "responses": {"200": {"description": "The answer."}, "default": {"description": "An error, in words."}},
    }
    if content:
        operation |= {"requestBody": {"required": True, "content": content}, "parameters": steering}
    return operation


def _header(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema}
