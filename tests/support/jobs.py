"""Jobs as the front door makes them, for tests."""

import itertools
from typing import Any

from spillway.domain.job_steps import accepted
from spillway.domain.jobs import Job

NOW = 1_790_000_000.0
LANE = "image-to-video stabilityai/stable-video-diffusion-img2vid-xt-1-1"
_numbers = itertools.count(1)


def new_job(**fields: Any) -> Job:
    """A job that was just accepted, with an id of its own; `fields` are what matters to the test."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "id": f"job-{number:06d}",
        "caller": "anna",
        "pipeline": "image-to-video",
        "model": "stabilityai/stable-video-diffusion-img2vid-xt-1-1",
        "lane": LANE,
        "rank": 0,
        "input": f"inputs/job-{number:06d}",
        "content_type": "multipart/form-data; boundary=x",
        "created_at": NOW + number / 1000,
        "queue_until": NOW + 300,
        "expires_at": NOW + 3600,
        "changes": (),
    }
    return accepted(Job(**{**given, **fields}))
