"""/jobs/{id}: a job as it is, waited for where its caller likes to, and its end by the caller's wish."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from spillway.domain.jobs import Job
from spillway.edge.bodies import CallerGone
from spillway.edge.exchanges import Exchange
from spillway.edge.preferences import read_preferences
from spillway.edge.presence import while_present
from spillway.edge.replies import Family, Fault, RawHeaders, answer_headers, send_bytes
from spillway.errors import BadRequest, JobOver
from spillway.ports import Clock
from spillway.services.changes import Changes, Topic
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk

_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')
PROBLEM = b"application/problem+json"


class JobPage(ABC):
    """An ASGI application for one path below /jobs."""

    def __init__(self, desk: JobDesk, views: JobViews, changes: Changes, *, monotonic: Clock):
        self._desk, self._views, self._changes, self._monotonic = desk, views, changes, monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is an answer too."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange, scope["path_params"]["job_id"])
        except CallerGone:
            return
        except Exception as error:
            if not await exchange.told(error, Family.PROBLEM):
                raise

    @abstractmethod
    async def _answer(self, exchange: Exchange, job_id: str) -> None:
        """The reply."""


class JobEndpoint(JobPage):
    """GET and DELETE /jobs/{id}."""

    async def _answer(self, exchange: Exchange, job_id: str) -> None:
        if exchange.scope["method"] == "DELETE":
            await self._cancel(exchange, job_id)
            return
        wait_s = read_preferences(exchange.headers).wait_s
        if wait_s:
            job = await self._waited(exchange, job_id, wait_s)
        else:
            job = await self._desk.find(job_id, exchange.caller)
        await self._show(exchange, job, [(b"preference-applied", f"wait={wait_s}".encode())] if wait_s else [])

    async def _show(self, exchange: Exchange, job: Job, more: RawHeaders) -> None:
        headers = [*_validators(job), *more, *answer_headers(None, exchange.id)]
        if _known(exchange, job):
            await exchange.send({"type": "http.response.start", "status": 304, "headers": headers})
            await exchange.send({"type": "http.response.body", "body": b""})
            return
        await send_bytes(exchange.send, 200, to_json(await self._views.now(job)), b"application/json", headers)

    async def _waited(self, exchange: Exchange, job_id: str, wait_s: float) -> Job:
        """The job once it is past the version that the caller knows, or has ended; or as it is after `wait_s`."""
        known = max(_tags(exchange), default=None)
        async with self._changes.listen(job_id) as topic:
            job = self._desk.own(topic.job if topic else None, exchange.caller)
            if topic is None:
                return job

            def enough(now: Job) -> bool:
                return now.over or (known is not None and now.sequence > known)

            async with while_present(exchange.receive):
                return await self._until(topic, job, enough, wait_s)

    async def _until(self, topic: Topic, job: Job, enough: Callable[[Job], bool], wait_s: float) -> Job:
        end = self._monotonic() + wait_s
        while not enough(job) and (left_s := end - self._monotonic()) > 0:
            job = await topic.after(job.revision, left_s)
        return job

    async def _cancel(self, exchange: Exchange, job_id: str) -> None:
        try:
            job = await self._desk.cancel(job_id, exchange.caller)
        except JobOver:
            await self._too_late(exchange, job_id)
            return
        await self._show(exchange, job, [])

    async def _too_late(self, exchange: Exchange, job_id: str) -> None:
        """409, and what became of the job: who cancels in the very moment of its end need not ask again."""
        job = await self._desk.find(job_id, exchange.caller)
        fault = Fault(BadRequest(f"the job has {job.status} already", status=409, code="job_over"), exchange.id)
        body = {**fault.as_dict(Family.PROBLEM), "job": await self._views.now(job)}
        await send_bytes(exchange.send, 409, to_json(body), PROBLEM, answer_headers(None, exchange.id))


def _validators(job: Job) -> RawHeaders:
    """Weak, as how far a job is may differ where nothing has changed."""
    return [(b"etag", f'W/"{job.sequence}"'.encode()), (b"cache-control", b"private, no-cache")]


def _tags(exchange: Exchange) -> list[int]:
    """The versions that the caller knows."""
    return [int(match[1]) for match in _TAG.finditer(exchange.headers.get("if-none-match", ""))]


def _known(exchange: Exchange, job: Job) -> bool:
    given = exchange.headers.get("if-none-match", "")
    safe = exchange.scope["method"] in ("GET", "HEAD")
    return safe and (given.strip() == "*" or job.sequence in _tags(exchange))
