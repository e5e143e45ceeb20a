"""The subnet's gateway as go-livepeer's master serves it: nine pipelines, orchestrator slots, its quirks and faults."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from aiohttp import web

from simulator.answers import Answers
from simulator.calls import PIPELINES, BadRequestError, Call, Unserved, read_call
from simulator.faults import Fault
from simulator.record import Recorded
from simulator.reply import drop, forever, send, stream
from simulator.server import ENTRY, Simulator, fault_of
from simulator.slots import Capacity, Slots


@dataclass(frozen=True, slots=True)
class Service:
    """How long one picture, video or answer takes: lognormal."""

    median_s: float
    sigma: float = 0.0


SERVICES: Mapping[str, Service] = {
    "text-to-image": Service(3.0, 0.3),
    "image-to-image": Service(3.0, 0.3),
    "image-to-video": Service(35.0, 0.3),
    "upscale": Service(6.0, 0.3),
    "audio-to-text": Service(4.0, 0.4),
    "llm": Service(4.0, 0.4),
    "segment-anything-2": Service(1.0, 0.3),
    "image-to-text": Service(1.5, 0.3),
    "text-to-speech": Service(3.0, 0.3),
}
HELD_BY_HANG_S = 120.0
FIXED_MESSAGES = {500: "Internal Server Error", 503: "Service Unavailable Error"}


class SubnetGateway(Simulator):
    """`SubnetGateway(slots={"text-to-image": 2}, time_scale=0.01)`; see `Simulator` for what all of them can.

    A whole number of slots is meant for every pipeline. `service` replaces the times of the pipelines that it names.
    `models` are the ones that orchestrators serve (None: any); others are refused at once.
    """

    name: ClassVar[str] = "subnet"
    hang_takes_work: ClassVar[bool] = True

    def __init__(
        self,
        slots: Capacity = 4,
        *,
        service: Mapping[str, Service] | None = None,
        refusal_s: float = 2.0,
        time_scale: float = 1.0,
        seed: int = 0,
        master_panics: bool = False,
        panics_without_model: bool = True,
        media: Literal["relative", "absolute"] = "relative",
        finish_done: bool = False,
        models: Iterable[str] | None = None,
        hang_holds_s: float = HELD_BY_HANG_S,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet; `async with gateway.serve():` does."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.service = {**SERVICES, **(service or {})}
        self.refusal_s = refusal_s
        self.master_panics = master_panics
        self.panics_without_model = panics_without_model
        self.finish_done = finish_done
        self.hang_holds_s = hang_holds_s
        self.models = None if models is None else frozenset(models)
        self._slots = Slots(slots)
        self._held: set[asyncio.Task[None]] = set()
        self._answers = Answers(self.files, self.random, lambda: self.url if media == "absolute" else "")

    @property
    def slots(self) -> Capacity:
        """Orchestrator slots; may be set at any time and from any thread, jobs in flight run on."""
        return self._slots.capacity

    @slots.setter
    def slots(self, capacity: Capacity) -> None:
        if self._address is None:
            self._slots.resize(capacity)
        else:
            self.call(lambda: self._slots.resize(capacity))

    def free(self, pipeline: str) -> int:
        """Slots of a pipeline that nobody holds now."""
        return self._slots.free(pipeline)

    def routes(self) -> Iterable[web.RouteDef]:
        """The nine pipelines, any method."""
        return [web.route("*", f"/{pipeline}", self._pipeline) for pipeline in PIPELINES]

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The pipeline that is asked for."""
        name = request.path.strip("/")
        return name if name in PIPELINES and request.method == "POST" else None

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """go-livepeer's error; 500 and 503 always say the same."""
        said = FIXED_MESSAGES.get(status) or message or web.Response(status=status).reason
        return {"error": {"message": said}}

    def settings(self) -> dict[str, Any]:
        """The slots and who holds them."""
        slots = self.slots if isinstance(self.slots, int) else dict(self.slots)
        return {"slots": slots, "slots_taken": self._slots.summary(), "refusal_s": self.refusal_s}

    def change(self, name: str, value: Any) -> None:
        """`slots` or `refusal_s`."""
        if name == "slots":
            self.slots = value if isinstance(value, int) else {key: int(number) for key, number in value.items()}
        elif name == "refusal_s":
            self.refusal_s = float(value)
        else:
            raise KeyError(name)

    def lose_work(self) -> None:
        """In an outage, slots that hung jobs hold come free too."""
        for held in list(self._held):
            held.cancel()

    async def _pipeline(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            # The OpenAPI validator's error handler writes nothing, so net/http sends an empty 200.
            return web.Response(body=b"")
        fault = fault_of(request)
        try:
            call = read_call(request.path.strip("/"), request[ENTRY], await request.read())
            self._check_model(call)
        except BadRequestError as error:
            return await self.fail(request, 400, str(error))
        except Unserved:
            return await self._refuse(request)
        if call.panic == "at once" and self.panics_without_model:
            await drop(request)
        if fault is not None and fault.kind == "refuse":
            await self.clock.sleep(self.refusal_s)
            return await self._refuse(request)
        return await self._queued(request, call, fault)

    def _check_model(self, call: Call) -> None:
        if call.model == "" or (self.models is not None and call.model not in {*self.models, None}):
            raise Unserved(call.model)

    async def _queued(self, request: web.Request, call: Call, fault: Fault | None) -> web.StreamResponse:
        patience_s = 0.0 if self.master_panics and self._slots.total(call.pipeline) == 0 else self.refusal_s
        if not await self._slots.take(call.pipeline, self.clock.real(patience_s)):
            return await self._refuse(request)
        if fault is not None and fault.kind == "hang":
            self._hold(call.pipeline)
            with self._working(call):
                await forever()
        try:
            with self._working(call):
                return await self._work(request, call, fault)
        finally:
            self._slots.give(call.pipeline)

    @contextmanager
    def _working(self, call: Call) -> Iterator[None]:
        with self.counters.working(), self.by[call.pipeline].working():
            yield

    async def _work(self, request: web.Request, call: Call, fault: Fault | None) -> web.StreamResponse:
        took_s = self._service_s(call, fault)
        if fault is not None and fault.kind in {"error", "runner"}:
            await self.clock.sleep(took_s / 2)
            return await self._failed(request, call, fault)
        if call.pipeline == "llm" and call.values["stream"]:
            return await self._stream(request, call, fault, took_s)
        await self.clock.sleep(took_s)
        if call.panic != "never" and self.panics_without_model:
            await drop(request)
        return await send(request, self._answers.of(call, fault), fault)

    async def _stream(self, request: web.Request, call: Call, fault: Fault | None, took_s: float) -> web.StreamResponse:
        events, end_markers = self._answers.chat_events(call, finish_done=self.finish_done)
        pause_s = took_s / len(events)
        return await stream(
            request, events, lambda: self.clock.sleep(pause_s), fault, end_markers=end_markers,
            headers={"Connection": "keep-alive"},
        )  # fmt: skip

    async def _failed(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
        """The runner's own error as the gateway maps it: only a 400 keeps its words, and not on /llm."""
        if fault.kind == "error":
            return await self.fail(request, 500)
        if fault.status != 400:
            return await self._refuse(request)
        return await self.fail(request, 500 if call.pipeline == "llm" else 400, fault.message or "bad request")

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        """No orchestrator: 503, or on today's master a nil pointer, which closes the connection."""
        request[ENTRY].outcome = "refused"
        if self.master_panics:
            await drop(request)
        return await self.fail(request, 503)

    def _hold(self, pipeline: str) -> None:
        """A hung job keeps its slot, also when its client has long gone."""
        held = self.spawn(self.clock.sleep(self.hang_holds_s))
        self._held.add(held)
        held.add_done_callback(self._held.discard)
        held.add_done_callback(lambda _: self._slots.give(pipeline))

    def _service_s(self, call: Call, fault: Fault | None) -> float:
        service = self.service[call.pipeline]
        stretch = 1.0 if fault is None else fault.stretch
        return sum(
            stretch * service.median_s * self.random.lognormvariate(0.0, service.sigma) for _ in range(call.count)
        )
