"""The form in which jobs are stored: one text that holds all of a job, and beside it what stores look for."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypedDict

from spillway.domain.fairness import place
from spillway.domain.jobs import Change, Hosted, Job, Lease, Problem, Status, Webhook


class Sought(TypedDict):
    """What jobs are found by, one column or field each."""

    revision: int
    sequence: int
    lane: str
    caller: str
    status: Status
    over: bool
    rank: int
    place: str
    due: float | None
    changed_at: float
    finished_at: float | None
    webhook_at: float | None


def sought(job: Job) -> Sought:
    """What this job is found by."""
    return Sought(
        revision=job.revision,
        sequence=job.sequence,
        lane=job.lane,
        caller=job.caller,
        status=job.status,
        over=job.over,
        rank=job.rank,
        place=place(job),
        due=job.due,
        changed_at=job.changes[-1].at,
        finished_at=job.finished_at,
        webhook_at=job.webhook_at,
    )


def packed(job: Job) -> str:
    """All of it as JSON."""
    return json.dumps(as_document(job), separators=(",", ":"), allow_nan=False)


def unpacked(text: str) -> Job:
    """The job of `packed`."""
    return from_document(json.loads(text))


def as_document(job: Job) -> dict[str, Any]:
    """A JSON object that holds all of it."""
    return asdict(job)


def from_document(body: Mapping[str, Any]) -> Job:
    """The job of `as_document`; fields that a later version has added are left out."""
    given = _known(Job, body)
    given["changes"] = tuple(Change(**_known(Change, change)) for change in body["changes"])
    for name, kind in (("lease", Lease), ("webhook", Webhook), ("error", Problem)):
        if body.get(name) is not None:
            given[name] = kind(**_known(kind, body[name]))
    if body.get("hosted") is not None:
        hosted = _known(Hosted, body["hosted"])
        given["hosted"] = Hosted(**{**hosted, "ids": tuple(hosted["ids"]), "told": tuple(hosted.get("told", ()))})
    return Job(**given)


def _known(kind: type[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in body.items() if name in names}
