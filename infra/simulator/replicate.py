"""Replicate's HTTP API: predictions on models, versions and deployments, streams, files, webhooks, its errors."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from aiohttp import web

from simulator.account import Account
from simulator.catalogue import Catalogue, Deployment
from simulator.desk import Desk
from simulator.faults import KINDS, TRANSPORT, Fault, Kind
from simulator.fleet import Fleet
from simulator.limits import RateLimit
from simulator.orders import Order, OrderError, ordered_model, read_order
from simulator.outputs import Outputs
from simulator.predictions import Prediction
from simulator.problems import problem, wait_s
from simulator.record import Recorded
from simulator.reply import send
from simulator.server import ENTRY, Endpoint, Simulator, fault_of
from simulator.told import tell_events
from simulator.webhooks import Webhooks, signing_key

_CREATIONS: frozenset[Kind] = KINDS - {"refuse", "runner", "ignored"}
_CHANGES: frozenset[Kind] = TRANSPORT | {"error", "ignored"}


class ReplicateApi(Simulator):
    """`ReplicateApi(time_scale=0.01)`: token r8_test, models of `replicate_models.json`, results of a few seconds.

    `service_s` is one number or one a model; `prices` are USD a job; `deployments` map owner/name to a model's name
    or to a `Deployment`. Official models are always warm unless `official_warm` is False. With `strict`, unknown
    input names are refused, which the real API lets pass. Deployments are billed by the seconds that instances were
    `kept` warm, or by all that they were `online`. Faults of a PATCH: `error` (500, but made), `ignored` (200, but not
    made), and those of the wire.
    """

    name: ClassVar[str] = "replicate"

    def __init__(
        self,
        token: str = "r8_test",
        *,
        cold_start_s: float = 30.0,
        service_s: float | Mapping[str, float] = 4.0,
        time_scale: float = 1.0,
        models: Mapping[str, Any] | Path | None = None,
        deployments: Mapping[str, str | Deployment] | None = None,
        prices: Mapping[str, float] | float = 0.0,
        usd_per_warm_second: float = 0.0,
        billed: Literal["kept", "online"] = "kept",
        calls_a_minute: int = 100,
        strict: bool = True,
        official_warm: bool = True,
        early_wait: bool = False,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet. `early_wait`: `Prefer: wait` shows the output while still processing, as it may."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.token, self.strict, self.early_wait = token, strict, early_wait
        self.usd_per_warm_second, self.billed = usd_per_warm_second, billed
        self.limit = RateLimit(self.clock.now, calls_a_minute)
        self.catalogue = Catalogue(self.clock, cold_start_s, models, deployments or {}, official_warm=official_warm)
        self.webhooks = Webhooks(self.clock, signing_key(self.random))
        self.desk = Desk(
            self.clock, Outputs(self.files), self.random, self.webhooks, self._aside, service_s=service_s, prices=prices
        )

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """Every prediction by id, oldest first."""
        return self.desk.predictions

    @property
    def created(self) -> Counter[str]:
        """How many predictions were created, by model."""
        return self.desk.created

    @property
    def ended(self) -> Counter[str]:
        """How predictions ended, by status."""
        return self.desk.ended

    @property
    def webhook_key(self) -> str:
        """The `whsec_…` that webhooks are signed with."""
        return self.webhooks.key

    @property
    def billed_usd(self) -> float:
        """Jobs that ran (succeeded, or canceled while running) and instances kept warm."""
        return self.desk.jobs_usd + self.warm_usd

    @property
    def warm_usd(self) -> float:
        """Instances of deployments alone."""
        paid_s = self.catalogue.kept_warm_s if self.billed == "kept" else self.catalogue.online_s
        return self.usd_per_warm_second * paid_s

    def instances(self, name: str) -> int:
        """Warm instances of a model or deployment."""
        return self.catalogue.fleet(name).warm

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, behind its token; streams have addresses that can't be guessed instead."""
        guarded: list[tuple[str, str, Endpoint]] = [
            ("POST", "/v1/predictions", self._create),
            ("POST", "/v1/models/{owner}/{name}/predictions", self._create),
            ("POST", "/v1/deployments/{owner}/{name}/predictions", self._create),
            ("GET", "/v1/predictions", self._list),
            ("GET", "/v1/predictions/{id}", self._get),
            ("POST", "/v1/predictions/{id}/cancel", self._cancel),
            *Account(self.catalogue, self.limit, self.webhooks, self.fail).endpoints(),
        ]
        routes = [web.route(method, path, self._guarded(endpoint)) for method, path, endpoint in guarded]
        return [*routes, web.get("/v1/streams/{id}", self._stream)]

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The model, of a POST that creates a prediction."""
        if request.method != "POST" or not request.path.endswith("/predictions"):
            return None
        try:
            return ordered_model(request, entry.json, self.catalogue).name
        except OrderError:
            return "unknown"

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Faults of jobs befall the creation, so that polling doesn't use them up."""
        if request.method == "POST":
            return _CREATIONS if request.path.endswith("/predictions") else TRANSPORT
        if request.method == "PATCH":
            return _CHANGES
        return super().kinds(request)

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """Problem details, RFC 7807, as Replicate writes them."""
        return problem(status, message, **extra)

    def settings(self) -> dict[str, Any]:
        """Predictions, instances and money."""
        return {
            "created": dict(self.created),
            "ended": dict(self.ended),
            "billed_usd": self.billed_usd,
            "deployments": self.catalogue.summary(),
            "webhooks": len(self.webhooks.deliveries),
        }

    def lose_work(self) -> None:
        """In an outage, predictions in flight fail."""
        self.desk.interrupt_all()

    async def closed(self) -> None:
        """Let go of the webhooks' connections."""
        await self.webhooks.close()

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") not in (f"Bearer {self.token}", f"Token {self.token}"):
                return await self.fail(request, 401)
            return await endpoint(request)

        return guarded

    # Predictions.

    async def _create(self, request: web.Request) -> web.StreamResponse:
        try:
            order = read_order(request, request[ENTRY].json, self.catalogue, strict=self.strict)
        except OrderError as error:
            return await send(request, error.problem, status=error.problem["status"])
        prediction = self._begin(order, fault_of(request))
        await self._waited(request, prediction)
        return await self._created(request, prediction)

    def _begin(self, order: Order, fault: Fault | None) -> Prediction:
        prediction = Prediction(
            self.desk.new_id(), order.model, order.input, self.url, order.deployment, fault, order.webhook,
            cancel_after_s=order.cancel_after_s,
        )  # fmt: skip
        prediction.webhook_events = order.events or prediction.webhook_events
        self.desk.take(prediction)
        fleet = self.catalogue.fleet_for(order.model, order.deployment)
        prediction.task = self.spawn(self._run(prediction, fleet))
        return prediction

    def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        if self.stopping:
            work.close()
        else:
            self.spawn(work)

    async def _run(self, prediction: Prediction, fleet: Fleet | None) -> None:
        with self.counters.working(), self.by[prediction.model.name].working():
            await self.desk.live(prediction, fleet)

    async def _waited(self, request: web.Request, prediction: Prediction) -> None:
        limit_s = wait_s(request.headers.get("Prefer"))
        if limit_s is None:
            return
        try:
            async with asyncio.timeout(self.clock.real(limit_s)):
                await prediction.end()
        except TimeoutError:
            return

    async def _created(self, request: web.Request, prediction: Prediction) -> web.StreamResponse:
        shown = prediction.json()
        if self.early_wait and prediction.status == "succeeded":
            shown |= {"status": "processing", "completed_at": None, "metrics": {}}
        unfinished = wait_s(request.headers.get("Prefer")) is not None and not prediction.done
        return await send(request, shown, fault_of(request), status=202 if unfinished else 201)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        prediction = self._known(request)
        if prediction is None:
            return await self.fail(request, 404)
        return await send(request, prediction.json(), fault_of(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        recent = list(self.predictions.values())[-100:][::-1]
        page = {"previous": None, "next": None, "results": [prediction.json() for prediction in recent]}
        return await send(request, page, fault_of(request))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        prediction = self._known(request)
        if prediction is None:
            return await self.fail(request, 404)
        if not prediction.done:
            self.desk.cancel(prediction)
        return await send(request, prediction.json(), fault_of(request))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        prediction = self._known(request)
        if prediction is None:
            return await self.fail(request, 404)
        return await tell_events(request, prediction, fault_of(request))

    def _known(self, request: web.Request) -> Prediction | None:
        prediction = self.predictions.get(request.match_info["id"])
        if prediction is not None:
            prediction.forget(self.clock.now())
        return prediction
