"""The desk where jobs are handed in, over stores in memory, with a clock that is moved by hand."""

import io
from collections.abc import Container
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pydantic_core import to_json

from spillway.adapters.local_queue import LocalQueue
from spillway.adapters.memory_files import MemoryFiles
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.domain.callers import Caller
from spillway.domain.estimates import LanePace
from spillway.domain.jobs import Job
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import Prefer, Terms
from spillway.domain.routes import Fallback, Provider, Route, Routes
from spillway.edge.requests import json_request
from spillway.ports.jobs import Queue
from spillway.ports.webhooks import Message
from spillway.services.admission import Admission
from spillway.services.changes import Changes, WatchedJobs
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk, Order, Places
from spillway.services.webhooks import Deliveries
from support.jobs import NOW

PIPELINE = PIPELINES["text-to-image"]
ANNA = Caller("anna")
USUAL_S = 4.0


class NoReceivers:
    """Adapter of ports.webhooks.Webhooks where everything arrives."""

    async def check(self, url: str) -> None:
        """Nothing is refused."""

    async def post(self, url: str, message: Message, secret: str | None) -> int:
        """Taken."""
        return 200


async def no_secret(_: str) -> str | None:
    """Nothing signs."""
    return None


@dataclass
class Office:
    """All that a desk needs; a test may bring a store or a queue of its own."""

    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    files: MemoryFiles = field(default_factory=MemoryFiles)
    queue: Queue = field(default_factory=LocalQueue)
    route: Route = field(default_factory=lambda: Route(pipeline="text-to-image"))
    providers: Container[str] = ()
    now: float = NOW
    stopped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changes = Changes(self.jobs, epoch=self.epoch, most=100)
        watched = WatchedJobs(self.jobs, self.changes)
        self.views = JobViews(watched, self.files, self.pace, epoch=self.epoch)
        deliveries = Deliveries(watched, NoReceivers(), self.views.now, no_secret, epoch=self.epoch, chance=Random(1))
        admission = Admission(watched, self.pace, self.providers, epoch=self.epoch)
        routes = Routes({"hosted": Provider(kind="openai")}, [self.route])
        self.desk = JobDesk(
            routes, Places(watched, self.queue, self.files), admission, deliveries, stop=self.stop, epoch=self.epoch
        )

    def epoch(self) -> float:
        """The time."""
        return self.now

    async def pace(self, _: str) -> LanePace:
        """Nothing is known of the lane but what is usual."""
        return LanePace(USUAL_S)

    async def stop(self, job: Job) -> None:
        """A prediction is ended."""
        self.stopped.append(job.id)

    async def submit(self, caller: Caller = ANNA, prefer: Prefer = "auto", **terms: Any) -> Job:
        """Hand in a wish."""
        request = json_request(PIPELINE, {"prompt": "a river"})
        given = Terms(prefer=prefer, caller=caller, **terms)
        return await self.desk.submit(
            Order(request, given, "livepeer", io.BytesIO(to_json({"prompt": "a river"})), "application/json")
        )


def falls_back(**route: Any) -> Route:
    """A route with a hosted provider behind the subnet."""
    return Route(pipeline="text-to-image", fallbacks=(Fallback(provider="hosted", model="m"),), **route)
