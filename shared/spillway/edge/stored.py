"""Makes the stored bytes of a job the request that they were, with the edge's own reader."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import BinaryIO

from starlette.datastructures import Headers

from spillway.domain.jobs import Job
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest
from spillway.edge.bodies import PIECE, Body, Room
from spillway.edge.requests import read_request


@asynccontextmanager
async def stored_request(job: Job, content: BinaryIO) -> AsyncIterator[InferenceRequest]:
    """A job's request, as long as its body is held. Raises BadRequest where a later version reads it otherwise."""
    with closing(await asyncio.to_thread(_body, content)) as body:
        yield await read_request(PIPELINES[job.pipeline], Headers({"content-type": job.content_type}), body)


def _body(content: BinaryIO) -> Body:
    """It was let in when it came: what bounds requests bounds it no more."""
    body = Body(Room(sys.maxsize, sys.maxsize))
    while piece := content.read(PIECE):
        body.write(piece)
    return body
