"""From an HTTP request on a pipeline's path to the job that the caller wants done, and the terms."""

import asyncio
import math
import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json, to_json
from starlette.datastructures import Headers

from spillway.domain.callers import Caller
from spillway.domain.pipelines import Pipeline
from spillway.domain.requests import InferenceRequest, JsonPayload, Prefer, Terms
from spillway.edge.bodies import Body
from spillway.edge.multipart import Multipart, PlacedUpload, is_multipart
from spillway.edge.parameters import FILES, check_fields
from spillway.errors import BadRequest

LONGEST_DEADLINE_S = 3600.0
PARSE_IN_THREAD = 1024 * 1024
# go-livepeer's /llm refuses a request without these.
LLM_DEFAULTS = {"max_tokens": 256, "stream": False}
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")
_PREFER = ("auto", "subnet", "fallback", "subnet-only", "fallback-only")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")


async def read_request(pipeline: Pipeline, headers: Headers, body: Body) -> InferenceRequest:
    """The job of a request on `pipeline`'s path. Raises BadRequest."""
    content_type = headers.get("content-type", "")
    if pipeline.encoding == "json":
        return json_request(pipeline, await read_json(content_type, body), body)
    return await asyncio.to_thread(_form_request, pipeline, content_type, body)


async def read_json(content_type: str, body: Body) -> dict[str, Any]:
    """The JSON object of a body. Raises BadRequest."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise BadRequest(
            f"the Content-Type is {kind[:100] or 'missing'}: send application/json",
            status=415,
            code="unsupported_media_type",
        )
    parse = asyncio.to_thread(_parse, body) if body.size > PARSE_IN_THREAD else None
    given = await parse if parse else _parse(body)
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object", code="malformed_body")
    return given


def _parse(body: Body) -> Any:
    try:
        return from_json(body.all(), allow_inf_nan=False)
    except ValueError as error:
        what = "is empty" if body.size == 0 else f"is not JSON ({error})"
        raise BadRequest(f"the body {what}: send a JSON object", code="malformed_body") from error


def json_request(pipeline: Pipeline, given: dict[str, Any], body: Body | None = None) -> InferenceRequest:
    """The job of a JSON object. A body that lacks nothing goes on byte for byte."""
    params = check_fields(pipeline, given)
    added: dict[str, Any] = {}
    if pipeline.gives == "chat":
        added = {name: value for name, value in LLM_DEFAULTS.items() if params.get(name) is None}
    model = params.get(pipeline.model_field) or pipeline.default_model
    if params.get(pipeline.model_field) != model:
        added[pipeline.model_field] = model
    data = body.all() if body and not added else to_json({**given, **added})
    return InferenceRequest(pipeline, model, {**params, **added}, JsonPayload(data))


def _form_request(pipeline: Pipeline, content_type: str, body: Body) -> InferenceRequest:
    if not is_multipart(content_type):
        kind = content_type.partition(";")[0][:100] or "missing"
        raise BadRequest(
            f"the Content-Type is {kind}: send multipart/form-data", status=415, code="unsupported_media_type"
        )
    form = Multipart(body, content_type)
    params = check_fields(pipeline, form.fields())
    uploads = form.uploads()
    name = FILES[pipeline.name]
    _check_file(name, uploads)
    model = params.get("model_id") or pipeline.default_model
    added = {} if params.get("model_id") else {"model_id": model}
    doubtful = name == "image" and not uploads[name].open().read(12).startswith(_PICTURES)
    params["model_id"] = model
    return InferenceRequest(pipeline, model, params, form.payload(added), dict(uploads), doubtful=doubtful)


def _check_file(name: str, uploads: Mapping[str, PlacedUpload]) -> None:
    if name not in uploads:
        raise BadRequest(f"{name} is required: send it as a file", code="missing_field", param=name)
    if uploads[name].size == 0:
        raise BadRequest(f"{name} is an empty file", code="invalid_field", param=name)


def read_terms(headers: Headers, public_url: str, caller: Caller) -> Terms:
    """How the caller wants to be served. Raises BadRequest for a header that can't be followed."""
    prefer = headers.get("x-spillway-prefer", "auto").strip().lower()
    if prefer not in _PREFER:
        raise BadRequest(f"X-Spillway-Prefer must be one of {', '.join(_PREFER[1:])}", code="invalid_header")
    stream = headers.get("x-spillway-stream")
    if stream is not None and stream.strip().lower() not in ("whole", "live"):
        raise BadRequest("X-Spillway-Stream must be whole or live", code="invalid_header")
    return Terms(
        prefer=cast("Prefer", prefer),
        deadline_s=_deadline(headers.get("x-spillway-deadline")),
        whole=None if stream is None else stream.strip().lower() == "whole",
        public_url=public_url,
        caller=caller,
    )


def _deadline(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_DEADLINE_S:
        raise BadRequest(
            f"X-Spillway-Deadline must be a number of seconds above 0 and up to {LONGEST_DEADLINE_S:g}",
            code="invalid_header",
        )
    return seconds


def request_id(headers: Headers) -> str | None:
    """The caller's own id for the request, where it is fit for a log and a header."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else None


def public_url(configured: str | None, scope: Mapping[str, Any], headers: Headers) -> str:
    """How callers reach us: as configured, else as this request did."""
    if configured:
        return configured
    host = headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise BadRequest("the Host header is missing or no host name", code="invalid_header")
    forwarded = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    scheme = forwarded if forwarded in ("http", "https") else scope.get("scheme", "http")
    return f"{scheme}://{host}{scope.get('root_path', '')}"
