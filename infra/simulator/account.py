"""What an account at Replicate has beside its predictions: models, deployments, and a secret for its webhooks."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from simulator.catalogue import ACCOUNT, Catalogue
from simulator.limits import RateLimit, retry_after
from simulator.orders import named
from simulator.problems import problem
from simulator.reply import send
from simulator.server import ENTRY, Endpoint, fault_of
from simulator.webhooks import Webhooks

WRONG_SCALE = "min_instances and max_instances are whole numbers, the first no greater"
Fail = Callable[[web.Request, int, str | None], Awaitable[web.StreamResponse]]


class Account:
    """Its endpoints. Calls about deployments have a limit of their own; `fail` answers with a problem."""

    def __init__(self, catalogue: Catalogue, limit: RateLimit, webhooks: Webhooks, fail: Fail) -> None:
        """One account, acme's."""
        self._catalogue, self._limit, self._webhooks, self._fail = catalogue, limit, webhooks, fail

    def endpoints(self) -> list[tuple[str, str, Endpoint]]:
        """By method and path."""
        return [
            ("GET", "/v1/models/{owner}/{name}", self._model),
            ("GET", "/v1/deployments/{owner}/{name}", self._deployment),
            ("PATCH", "/v1/deployments/{owner}/{name}", self._deployment),
            ("GET", "/v1/account", self._account),
            ("GET", "/v1/webhooks/default/secret", self._secret),
        ]

    async def _model(self, request: web.Request) -> web.StreamResponse:
        shown = self._catalogue.model_json(named(request))
        if shown is None:
            return await self._fail(request, 404, None)
        return await send(request, shown, fault_of(request))

    async def _deployment(self, request: web.Request) -> web.StreamResponse:
        name = named(request)
        wait_s = self._limit.take()
        if wait_s > 0:
            return await send(request, problem(429), status=429, headers=retry_after(wait_s))
        if name not in self._catalogue.deployments:
            return await self._fail(request, 404, None)
        kind = getattr(fault_of(request), "kind", None)
        if request.method == "PATCH" and kind != "ignored" and not self._catalogue.patch(name, request[ENTRY].json):
            return await self._fail(request, 422, WRONG_SCALE)
        if kind == "error":
            return await self._fail(request, 500, None)
        return await send(request, self._catalogue.deployment_json(name), fault_of(request))

    async def _account(self, request: web.Request) -> web.StreamResponse:
        return await send(request, ACCOUNT, fault_of(request))

    async def _secret(self, request: web.Request) -> web.StreamResponse:
        return await send(request, {"key": self._webhooks.key}, fault_of(request))
