"""GET /openapi.json: the Livepeer pipelines and OpenAI's paths, from the very models that check the requests; jobs."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from spillway import __version__
from spillway.domain.pipelines import PIPELINES, Pipeline
from spillway.edge import openapi_jobs
from spillway.edge.openai import ChatFields, ImagesFields
from spillway.edge.openapi_jobs import header
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
    "429": {"description": "Too fast for the key, the day's money is spent, or the queue is full; see Retry-After."},
    "503": {"description": "No backend has room, or keys can't be checked just now; Retry-After says when to come."},
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths = {pipeline.path: {"post": _pipeline(pipeline)} for pipeline in PIPELINES.values()}
    paths["/v1/chat/completions"] = {"post": _operation("A chat answer, whole or streamed.", _json(ChatFields))}
    paths["/v1/images/generations"] = {"post": _operation("Pictures from text.", _json(ImagesFields))}
    paths["/v1/models"] = {"get": _operation("The models that can be asked for by name.", None)}
    paths |= openapi_jobs.paths()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Spillway", "version": __version__},
        "paths": paths,
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {"key": _KEY},
            "schemas": {"Job": openapi_jobs.JOB, "Problem": openapi_jobs.PROBLEM},
        },
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
        header("X-Spillway-Prefer", "Who is asked.", enum=["subnet", "fallback", "subnet-only", "fallback-only"]),
        header("X-Spillway-Deadline", "Seconds for all of it.", type="number", exclusiveMinimum=0),
        *openapi_jobs.ASKING,
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
        operation["responses"] |= {"202": openapi_jobs.ACCEPTED, **openapi_jobs.UNPROCESSABLE}
    return operation
