"""A job as its caller sees it: the body of /jobs/{id}, of its events and of its webhook."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spillway.domain import openai_answers
from spillway.domain.jobs import Job
from spillway.domain.moments import rfc3339


@dataclass(frozen=True, slots=True)
class Outlook:
    """What can be told of a job that is under way: `progress` 0 to 1, its place in the queue from 1, seconds left."""

    progress: float | None = None
    queue_position: int | None = None
    eta_seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As the body has it."""
        return {
            "progress": None if self.progress is None else round(self.progress, 3),
            "queue_position": self.queue_position,
            "eta_seconds": None if self.eta_seconds is None else round(self.eta_seconds, 1),
        }


DONE = Outlook(progress=1.0)
NOT_TOLD = Outlook()


def view(job: Job, outlook: Outlook, result: Mapping[str, Any] | None) -> dict[str, Any]:
    """The body. `result` is the stored one, in Livepeer's shape; None where there is none."""
    return {
        "id": job.id,
        "status": job.status,
        "pipeline": job.pipeline,
        "model": job.served_model or job.model,
        "served_by": job.served_by or None,
        **outlook.as_dict(),
        "created_at": _told(job.created_at),
        "started_at": _told(job.started_at),
        "finished_at": _told(job.finished_at),
        "result": None if result is None else _in_family(job, result),
        "error": {"code": job.error.code, "message": job.error.message} if job.error else None,
    }


def as_of(job: Job, sequence: int) -> Job:
    """The job as this change left it: told again, it is the same for ever."""
    changes = job.changes[:sequence]
    if sequence == job.sequence and job.over:
        return job
    return replace(job, changes=changes, served_by=changes[-1].served_by, served_model="", result=None, error=None)


def _told(at: float | None) -> str | None:
    return None if at is None else rfc3339(at, milliseconds=True)


def _in_family(job: Job, result: Mapping[str, Any]) -> dict[str, Any]:
    """The result in the shape of the API that the job came in by."""
    if job.family == "livepeer":
        return dict(result)
    model, created = job.served_model or job.model, job.finished_at or job.created_at
    if job.pipeline == "llm":
        return openai_answers.chat(result, model, created)
    return openai_answers.pictures([{"url": image["url"]} for image in result["images"]], model, created)
