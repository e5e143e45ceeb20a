"""What is said to workers: that a job is due in a lane, or that it is time to sweep; and what a dead letter holds.

A message carries names alone, so that no size limit of a queue is ever near. `kind` is an attribute as well, for
subscriptions that filter; lanes are not, since a model's name may be longer than an attribute.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spillway.domain.jobs import Job

SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Due:
    """One job is due in a lane. Which one the worker takes up is for the lane's order to say."""

    lane: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """Time to look for what was forgotten."""


def due_message(lane: str, job_id: str) -> tuple[bytes, dict[str, str]]:
    """Data and attributes of the message that a job is due."""
    return _text({"kind": "job", "lane": lane, "job": job_id}), {"kind": "job"}


def dead_message(job: Job) -> tuple[bytes, dict[str, str]]:
    """Data and attributes of a dead letter: what the job was and why it failed, nothing that its caller sent."""
    told = {
        "kind": "dead",
        "job": job.id,
        "lane": job.lane,
        "failures": job.failures,
        "deaths": job.deaths,
        "tries": job.tries,
        "usd": job.usd,
        "error": asdict(job.error) if job.error else None,
        "changes": [asdict(change) for change in job.changes],
    }
    return _text(told), {"kind": "dead"}


def read_message(data: bytes, attributes: Mapping[str, str]) -> Due | Sweep:
    """What a message says. Raises ValueError for one that says nothing we know: it will not get better."""
    if attributes.get("kind") == SWEEP:
        return Sweep()
    try:
        told = json.loads(data)
        lane, job_id = told["lane"], told["job"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"the message tells of no job ({type(error).__name__})") from error
    if told.get("kind") != "job" or not isinstance(lane, str) or not isinstance(job_id, str):
        raise ValueError("the message tells of no job")
    return Due(lane, job_id)


def _text(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
