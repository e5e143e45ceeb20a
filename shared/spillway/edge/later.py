"""Prefer: respond-async on an inference path: the request is kept as a job, and its caller told where to look."""

import io

from pydantic_core import from_json, to_json

from spillway.domain.jobs import Family as JobFamily
from spillway.domain.requests import InferenceRequest, JsonPayload, Terms
from spillway.edge.bodies import Body
from spillway.edge.exchanges import Exchange
from spillway.edge.replies import Family, answer_headers, send_bytes
from spillway.errors import BadRequest
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk, Order

_FAMILIES: dict[Family, JobFamily] = {Family.LIVEPEER: "livepeer", Family.OPENAI: "openai"}


class Later:
    """Takes requests in as jobs."""

    def __init__(self, desk: JobDesk, views: JobViews):
        self._desk, self._views = desk, views

    async def accept(
        self, exchange: Exchange, request: InferenceRequest, terms: Terms, body: Body, family: Family
    ) -> None:
        """202 with the job, once it is durable. Raises BadRequest, QueueFull and StoreUnavailable."""
        if request.beyond_subnet:
            what = request.beyond_subnet[0]
            raise BadRequest(f"{what} can't be answered later: send it without Prefer: respond-async", param=what)
        job = await self._desk.submit(_order(exchange, request, terms, body, _FAMILIES[family]))
        headers = [
            (b"location", f"/jobs/{job.id}".encode()),
            (b"preference-applied", b"respond-async"),
            *answer_headers(None, exchange.id),
        ]
        await send_bytes(exchange.send, 202, to_json(await self._views.now(job)), b"application/json", headers)


def _whole(payload: JsonPayload) -> JsonPayload:
    """A job's answer is given whole, however it was asked for."""
    given = from_json(payload.data)
    return JsonPayload(to_json({**given, "stream": False})) if given.get("stream") else payload


def _order(exchange: Exchange, request: InferenceRequest, terms: Terms, body: Body, family: JobFamily) -> Order:
    """JSON is kept as the subnet is to get it, an upload as it came."""
    payload, url = request.payload, exchange.headers.get("webhook-url")
    if isinstance(payload, JsonPayload):
        return Order(request, terms, family, io.BytesIO(_whole(payload).data), payload.content_type, url)
    return Order(request, terms, family, body.open(), exchange.headers["content-type"], url)
