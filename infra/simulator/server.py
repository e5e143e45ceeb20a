"""What all simulators share beside listening: faults, records, counters, files, control over HTTP."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, ClassVar

from aiohttp import web

from simulator.clock import Clock
from simulator.control import CONTROL, answer_control
from simulator.counters import Tally
from simulator.faults import BODY, DOWNLOADS, EARLY, KINDS, MEDIA, TRANSPORT, Fault, Faults, Kind
from simulator.files import Files
from simulator.listener import Listener, background
from simulator.record import Recorded, record
from simulator.reply import DROPPED, drop, forever, send

__all__ = ["ENTRY", "Endpoint", "Simulator", "background", "fault_of"]

Endpoint = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FAULT = web.RequestKey("fault", Fault)
ENTRY = web.RequestKey("entry", Recorded)
DOWN_ANSWER_S = 0.2
FIRST_BYTE_S = 5.0
RECENT = 2000
MAX_BODY = 512 * 2**20
RESTING = b"<html><body>upstream is resting</body></html>\n"
AT_WORK: frozenset[Kind] = frozenset({"hang", "error", "refuse", "runner"})
LOST = (EARLY | BODY | AT_WORK) - frozenset({"slow_first_byte"})


def fault_of(request: web.BaseRequest) -> Fault | None:
    """The fault that the book chose for this request."""
    return request.get(FAULT)


class Simulator(Listener):
    """A server on loopback: `async with SubnetGateway().serve() as subnet: … subnet.url`.

    Its book of faults is `faults`, its recent requests are in `requests`, its counts in `counters` and, by pipeline
    or model, in `by`. All times but those of the wire are multiplied by `time_scale`.
    """

    name: ClassVar[str] = "simulator"
    hang_takes_work: ClassVar[bool] = False

    def __init__(self, *, time_scale: float = 1.0, seed: int = 0, faults: Iterable[Fault] = ()) -> None:
        """Nothing listens yet."""
        super().__init__()
        self.clock = Clock(time_scale)
        self.random = Random(seed)
        self.faults = Faults(faults, seed=seed)
        self.files = Files()
        self.requests: deque[Recorded] = deque(maxlen=RECENT)
        self.counters = Tally()
        self.by: defaultdict[str, Tally] = defaultdict(Tally)
        self.down = False

    # What a simulator of one service adds.

    def routes(self) -> Iterable[web.RouteDef]:
        """Its endpoints."""
        return ()

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The pipeline or model that the request asks work of; None where it asks for none and isn't counted."""
        return None

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """The kinds of fault that can befall this request."""
        if request.method == "POST":
            return KINDS
        return TRANSPORT | MEDIA if request.path.startswith(DOWNLOADS) else TRANSPORT

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """An error's body in the service's own shape."""
        return {"error": {"message": message or web.Response(status=status).reason}}

    def settings(self) -> dict[str, Any]:
        """What `GET /_simulator` shows beside the common part."""
        return {}

    def change(self, name: str, value: Any) -> None:
        """One setting of `PATCH /_simulator`; KeyError where there is none of that name."""
        raise KeyError(name)

    def lose_work(self) -> None:
        """What an outage takes beside the open connections."""

    # Time and outages.

    @property
    def time_scale(self) -> float:
        """By what all times are multiplied; may be set at any time."""
        return self.clock.scale

    @time_scale.setter
    def time_scale(self, scale: float) -> None:
        self.clock.scale = scale

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Simulated time begins at zero."""
        self.clock.start()
        await super().start(host, port)

    def outage(self) -> None:
        """Lose what is in flight at once; close new requests without a byte after 0.2 s, until `recover`."""
        self.down = True
        self.call(self.lose_all)

    def recover(self) -> None:
        """End the outage."""
        self.down = False

    def lose_all(self) -> None:
        """Close the connections and drop the work."""
        super().lose_all()
        self.lose_work()

    # Requests.

    def application(self) -> web.Application:
        """The service's endpoints and its files, behind faults and records."""

        @web.middleware
        async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._front(request, handler)

        app = web.Application(middlewares=[front], client_max_size=MAX_BODY)
        app.router.add_routes([*self.routes(), *(web.get(f"{root}{{path:.*}}", self._download) for root in DOWNLOADS)])
        return app

    async def fail(self, request: web.Request, status: int, message: str | None = None) -> web.StreamResponse:
        """An error in the service's own shape; Retry-After and a raw body as the request's fault has them."""
        fault = fault_of(request)
        headers: dict[str, str] = {}
        if fault is not None and fault.retry_after is not None:
            headers["Retry-After"] = f"{fault.retry_after:g}"
        payload = self.problem(status, message)
        if fault is not None and fault.body is not None:
            payload = fault.body.encode()
        return await send(request, payload, status=status, headers=headers)

    async def _front(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == CONTROL:
            return await answer_control(self, request)
        self._open[id(request)] = request
        try:
            if request.path.startswith(DOWNLOADS):
                return await self._with_fault(request, handler)
            entry = request[ENTRY] = await record(request, self.clock.now())
            self.requests.append(entry)
            with self._counted(request, entry):
                response = await self._with_fault(request, handler)
                entry.status = response.status
                return response
        finally:
            del self._open[id(request)]

    async def _with_fault(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.down:
            await self.clock.sleep(DOWN_ANSWER_S)
            await drop(request)
        fault = self.faults.pick(request.method, request.path, self.clock.now(), self.kinds(request))
        if fault is None:
            return await handler(request)
        request[FAULT] = fault
        if ENTRY in request:
            request[ENTRY].fault = fault.kind
        return await self._early(request, fault) or await handler(request)

    async def _early(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """What a fault makes of the request before anything is worked on."""
        if fault.delay_s is not None or fault.kind == "slow_first_byte":
            await self.clock.sleep(FIRST_BYTE_S if fault.delay_s is None else fault.delay_s)
        if fault.kind in {"close", "reset"}:
            await drop(request, reset=fault.kind == "reset")
        if fault.kind == "hang" and not (self.hang_takes_work and request.method == "POST"):
            await forever()
        if fault.kind == "status":
            return await self.fail(request, fault.status, fault.message)
        if fault.kind in {"empty", "not_json"}:
            return await send(request, b"" if fault.kind == "empty" else RESTING)
        return None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        fault = fault_of(request)
        file = self.files.get(request.path, self.clock.now())
        if file is None or (fault is not None and fault.kind == "missing_media"):
            return web.Response(status=404, text="404 page not found\n")
        return await send(request, self.files.spoilt(file.make, fault)(), fault, content_type=file.content_type)

    @contextmanager
    def _counted(self, request: web.Request, entry: Recorded) -> Iterator[None]:
        subject = self.subject(request, entry)
        tallies = [] if subject is None else [self.counters, self.by[subject]]
        for tally in tallies:
            tally.opened()
        try:
            yield
        except asyncio.CancelledError:
            if entry.outcome == "open":
                entry.outcome = "failed" if request.get(DROPPED) else "canceled"
            raise
        finally:
            _conclude(entry, fault_of(request))
            entry.took_s = self.clock.now() - entry.at_s
            for tally in tallies:
                tally.closed(entry.outcome)


def _conclude(entry: Recorded, fault: Fault | None) -> None:
    if entry.outcome == "open":
        lost = fault is not None and fault.kind in LOST
        entry.outcome = "failed" if lost or entry.status is None or entry.status >= 400 else "served"
