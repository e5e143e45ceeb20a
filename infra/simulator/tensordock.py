"""TensorDock's API v2: instances and locations, its limit of calls, and machines that cost money every second."""

from collections.abc import Iterable
from typing import Any, ClassVar

from aiohttp import web

from simulator.faults import BODY, TRANSPORT, Fault, Kind
from simulator.limits import RateLimit, retry_after
from simulator.record import Recorded
from simulator.rented import Cloud, Rented
from simulator.reply import send
from simulator.server import ENTRY, Endpoint, Simulator, fault_of

ROOT = "/api/v2"
GPU = "geforcertx4090-pcie-24gb"
EPOCH = 1_790_000_000.0
CALLS_A_MINUTE = 100
PRICES = {"per_vcpu_hr": 0.003, "per_gb_ram_hr": 0.002, "per_gb_storage_hr": 0.00005}
PLACES = {"loc-cheap": 0.35, "loc-dear": 0.80}
_CREATIONS: frozenset[Kind] = TRANSPORT | BODY | {"error", "failed", "stuck", "refuse"}


class TensorDockApi(Simulator):
    """`TensorDockApi("token")`; `cloud` holds the machines, their bill and its lies.

    Faults of a creation: `error` (500, but made), `stuck` (never runs), `failed` (made, in error), `refuse` (400), and
    those of the wire, after which it is made where the body was begun (`cut`, `stall`, `clean_cut`).
    """

    name: ClassVar[str] = "tensordock"

    def __init__(
        self,
        token: str,
        *,
        boot_s: float = 300.0,
        calls_a_minute: int = CALLS_A_MINUTE,
        time_scale: float = 1.0,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet, nothing is rented."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.cloud = Cloud(self.clock.now, self.random, epoch=EPOCH, boot_s=boot_s)
        self.token = token
        self.limit = RateLimit(self.cloud.now, calls_a_minute)

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, behind its token."""
        guarded: list[tuple[str, str, Endpoint]] = [
            ("GET", "/instances", self._list),
            ("POST", "/instances", self._create),
            ("GET", "/instances/{id}", self._get),
            ("POST", "/instances/{id}/start", self._start),
            ("POST", "/instances/{id}/stop", self._stop),
            ("DELETE", "/instances/{id}", self._delete),
            ("GET", "/locations", self._locations),
        ]
        return [web.route(method, ROOT + path, self._guarded(endpoint)) for method, path, endpoint in guarded]

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The call, for the counts."""
        return f"{request.method} {request.path.removeprefix(ROOT).split('/')[1]}"

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Faults of machines befall their creation."""
        return _CREATIONS if request.method == "POST" and request.path == f"{ROOT}/instances" else TRANSPORT

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """An error as its documentation has it."""
        said = message or web.Response(status=status).reason
        return {"errors": [{"status": str(status), "title": web.Response(status=status).reason, "detail": said}]}

    def settings(self) -> dict[str, Any]:
        """Machines and money."""
        return {"machines": len(self.cloud.paid_for()), "billed_usd": self.cloud.usd()}

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return await self.fail(request, 401)
            wait_s = self.limit.take()
            if wait_s > 0:
                return await send(request, self.problem(429), status=429, headers=retry_after(wait_s))
            return await endpoint(request)

        return guarded

    async def _list(self, request: web.Request) -> web.StreamResponse:
        entries = [
            {"type": "VM", "id": machine.id, "attributes": {"name": machine.name, "status": status}}
            for machine, status in self.cloud.listed()
        ]
        return await send(request, {"data": {"instances": entries}}, fault_of(request))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        attributes = self._attributes(request)
        refusal = self._refusal(attributes)
        kind = getattr(fault_of(request), "kind", None)
        if refusal or kind == "refuse":
            return await self.fail(request, 400, refusal or "No hostnode has these resources now.")
        price = _price(attributes["resources"], PLACES[attributes["location_id"]])
        machine = self.cloud.rent(attributes["name"], price, attributes, broken=kind == "failed", stuck=kind == "stuck")
        if kind == "error":
            return await self.fail(request, 500)
        shown = {"type": "virtualmachine", "id": machine.id, "name": machine.name, "status": "running"}
        return await send(request, {"data": shown}, fault_of(request))

    def _attributes(self, request: web.Request) -> dict[str, Any]:
        body = request[ENTRY].json
        data = body.get("data") if isinstance(body, dict) else None
        attributes = data.get("attributes") if isinstance(data, dict) else None
        return attributes if isinstance(attributes, dict) else {}

    def _refusal(self, attributes: dict[str, Any]) -> str | None:
        resources = attributes.get("resources") or {}
        checks = {
            "name, image and type are required": all(attributes.get(n) for n in ("name", "image", "type")),
            "storage_gb must be at least 100": resources.get("storage_gb", 0) >= 100,
            "unknown location": attributes.get("location_id") in PLACES,
            "unknown GPU": list(resources.get("gpus") or {}) == [GPU],
            "an SSH key is required": bool(attributes.get("ssh_key") or attributes.get("ssh_key_id")),
        }
        return next((message for message, holds in checks.items() if not holds), None)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        machine = self._known(request)
        if machine is None:
            return await self.fail(request, 404)
        status = {m.id: s for m, s in self.cloud.listed()}.get(machine.id, machine.status(self.cloud.now()))
        shown = {"type": "instance", "id": machine.id, "name": machine.name, "status": status,
                 "ipAddress": machine.address, "portForwards": []}  # fmt: skip
        return await send(request, shown, fault_of(request))

    async def _start(self, request: web.Request) -> web.StreamResponse:
        return await self._changed(request, "starting")

    async def _stop(self, request: web.Request) -> web.StreamResponse:
        return await self._changed(request, "stopping")

    async def _changed(self, request: web.Request, status: str) -> web.StreamResponse:
        machine = self._known(request)
        if machine is None:
            return await self.fail(request, 404)
        machine.stopped_at = None
        if status == "stopping":
            self.cloud.stop(machine)
        shown = {"type": "instance", "id": machine.id, "attributes": {"status": status}}
        return await send(request, {"data": shown}, fault_of(request))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        machine = self._known(request)
        if machine is None:
            return await self.fail(request, 404)
        self.cloud.delete(machine)
        said = {"type": "success", "attributes": {"message": "Instance deleted successfully"}}
        return await send(request, {"data": said}, fault_of(request))

    async def _locations(self, request: web.Request) -> web.StreamResponse:
        shown = [
            {"id": place, "city": "Austin", "stateprovince": "Texas", "country": "United States", "tier": 3,
             "gpus": [_offer(price)]}
            for place, price in PLACES.items()
        ]  # fmt: skip
        return await send(request, {"data": {"locations": shown}}, fault_of(request))

    def _known(self, request: web.Request) -> Rented | None:
        return self.cloud.find(request.match_info["id"])


def _offer(price: float) -> dict[str, Any]:
    return {
        "v0Name": GPU,
        "displayName": "NVIDIA GeForce RTX 4090 PCIe 24GB",
        "max_count": 4,
        "price_per_hr": price,
        "resources": {"max_vcpus": 32, "max_ram_gb": 128, "max_storage_gb": 2000},
        "pricing": PRICES,
        "network_features": {"dedicated_ip_available": True, "port_forwarding_available": True},
    }


def _price(resources: dict[str, Any], gpu: float) -> float:
    amounts = {"per_vcpu_hr": "vcpu_count", "per_gb_ram_hr": "ram_gb", "per_gb_storage_hr": "storage_gb"}
    return gpu + sum(PRICES[price] * resources[amount] for price, amount in amounts.items())
