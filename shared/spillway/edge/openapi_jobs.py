"""The part of /openapi.json that is about jobs: how one is asked for, and what /jobs answers."""

from typing import Any

from spillway.domain.jobs import STATUSES

_TIME = {"type": ["string", "null"], "format": "date-time"}
JOB: dict[str, Any] = {
    "type": "object",
    "description": "A request that is answered later.",
    "properties": {
        "id": {"type": "string"},
        "status": {"type": "string", "enum": list(STATUSES)},
        "pipeline": {"type": "string"},
        "model": {"type": "string", "description": "As asked for; once it has succeeded, the model that answered."},
        "served_by": {"type": ["string", "null"], "description": "subnet, or the hosted provider's name."},
        "progress": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "queue_position": {"type": ["integer", "null"], "minimum": 1, "description": "1 is the next one."},
        "eta_seconds": {"type": ["number", "null"], "description": "Estimated seconds until it is done: a median."},
        "created_at": {"type": "string", "format": "date-time"},
        "started_at": _TIME,
        "finished_at": _TIME,
        "result": {"type": ["object", "null"], "description": "The answer, as the path would have given it at once."},
        "error": {
            "type": ["object", "null"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        },
    },
}
JOB["required"] = list(JOB["properties"])
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
ACCEPTED = {
    "description": "Prefer: respond-async was followed: the job is kept, and Location says where it is.",
    "headers": {
        name: {"schema": {"type": "string"}} for name in ("Location", "Preference-Applied", "Idempotent-Replayed")
    },
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
}
UNPROCESSABLE = {
    "409": {"description": "The first request with this Idempotency-Key is still running; Retry-After says when."},
    "422": {"description": "The Idempotency-Key was used with another request."},
}


def header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    """A header of a request, as a parameter."""
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


ASKING = [
    header("Prefer", "respond-async: answer with a job at once.", type="string"),
    header("Webhook-Url", "Where the finished job is posted, with respond-async.", type="string", format="uri"),
    header("Idempotency-Key", "Sent again with the same body, the first answer comes again.", type="string"),
]


def paths() -> dict[str, Any]:
    """/jobs."""
    job_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/jobs/{id}": {
            "parameters": [job_id],
            "get": {
                "summary": "A job as it is; waited for, where it is liked to.",
                "parameters": [
                    header("Prefer", "wait=SECONDS: answer when the job changes or has ended.", type="string"),
                    header("If-None-Match", "The ETag that is known: 304 while it is the same.", type="string"),
                ],
                "responses": {"200": _job(), "304": {"description": "Nothing has changed."}, **_problems("404", "503")},
            },
            "delete": {
                "summary": "Cancel a job.",
                "responses": {"200": _job(), **_problems("404", "409", "503")},
            },
        },
        "/jobs/{id}/events": {
            "parameters": [job_id],
            "get": {
                "summary": "Its changes as server-sent events (job, with an id) and its progress between (progress).",
                "parameters": [header("Last-Event-ID", "The last change that is known.", type="string")],
                "responses": {
                    "200": {
                        "description": "Until the job has ended.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    },
                    "204": {"description": "The job has ended, and all of it is known."},
                    **_problems("404", "503"),
                },
            },
        },
    }


def _job() -> dict[str, Any]:
    return {
        "description": "The job.",
        "headers": {"ETag": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
    }


_WORDS = {
    "404": "There is no such job, or none of this caller's.",
    "409": "It has ended already; `job` says how.",
    "503": "The store can't be reached, or too many listen; Retry-After says when to come again.",
}


def _problems(*statuses: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _WORDS[status], "content": content} for status in statuses}
