"""Compute Engine's instances and one managed instance group in a zone, and the metadata server's token."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from simulator.faults import BODY, TRANSPORT, Fault, Kind
from simulator.record import Recorded
from simulator.rented import Cloud, Rented
from simulator.reply import send
from simulator.server import ENTRY, Endpoint, Simulator, fault_of

EPOCH = 1_790_000_000.0
TOKEN = "ya29.simulated"
LABEL = "spillway-burst"
STATUSES = {"starting": "STAGING", "running": "RUNNING", "stopped": "TERMINATED", "deleting": "STOPPING",
            "error": "REPAIRING"}  # fmt: skip
_CREATIONS: frozenset[Kind] = TRANSPORT | BODY | {"error", "failed", "stuck"}


class ComputeEngineApi(Simulator):
    """`ComputeEngineApi(project="p", zone="z", group="g", label="prod")`; `cloud` holds machines, bill and lies.

    Faults of a creation: `error` (500, but made), `stuck` (no GPU is free: the group tries for ever, unbilled),
    `failed` (made, never well), and those of the wire.
    """

    name: ClassVar[str] = "compute_engine"

    def __init__(
        self,
        *,
        project: str = "project",
        zone: str = "zone",
        group: str = "burst",
        label: str = "prod",
        usd_per_hour: float = 0.5,
        boot_s: float = 300.0,
        time_scale: float = 1.0,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet, nothing is rented."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.cloud = Cloud(self.clock.now, self.random, epoch=EPOCH, boot_s=boot_s)
        self.zone_path = f"/compute/v1/projects/{project}/zones/{zone}"
        self.group_path = f"{self.zone_path}/instanceGroupManagers/{group}"
        self.label, self.usd_per_hour = label, usd_per_hour
        self.members: dict[str, Rented] = {}
        self._done: set[str] = set()

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, behind its token, and the metadata server."""
        guarded: list[tuple[str, str, Endpoint]] = [
            ("GET", f"{self.zone_path}/instances", self._list),
            ("DELETE", self.zone_path + "/instances/{name}", self._delete_alone),
            ("POST", self.zone_path + "/instances/{name}/stop", self._stop_alone),
            ("POST", f"{self.group_path}/listManagedInstances", self._managed),
            ("POST", f"{self.group_path}/createInstances", self._create),
            ("POST", f"{self.group_path}/deleteInstances", self._delete),
            ("POST", f"{self.group_path}/stopInstances", self._stop),
        ]
        routes = [web.route(method, path, self._guarded(endpoint)) for method, path, endpoint in guarded]
        return [*routes, web.get("/computeMetadata/v1/instance/service-accounts/default/token", self._token)]

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The call, for the counts."""
        return f"{request.method} {request.path.rpartition('/')[2]}"

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Faults of machines befall their creation."""
        return _CREATIONS if request.path.endswith("/createInstances") else TRANSPORT

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """An error as Google's APIs write it."""
        said = message or web.Response(status=status).reason
        return {"error": {"code": status, "message": said, "errors": [{"message": said, "domain": "global"}]}}

    def settings(self) -> dict[str, Any]:
        """Machines and money."""
        return {"machines": len(self.cloud.paid_for()), "billed_usd": self.cloud.usd()}

    def abandon(self, name: str) -> None:
        """Take an instance out of the group, as an operator can; it runs on."""
        del self.members[name]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return await self.fail(request, 401)
            return await endpoint(request)

        return guarded

    async def _token(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Metadata-Flavor") != "Google":
            return await self.fail(request, 403)
        token = {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}
        return await send(request, token, fault_of(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = request.query.get("filter", "") == f"labels.{LABEL}={self.label}"
        shown = [self._instance(m, status) for m, status in self.cloud.listed() if wanted and m.billed]
        start = int(request.query.get("pageToken", "0"))
        page = {"kind": "compute#instanceList", "items": shown[start : start + 2]}
        if len(shown) > start + 2:
            page["nextPageToken"] = str(start + 2)
        if not page["items"]:
            del page["items"]
        return await send(request, page, fault_of(request))

    def _instance(self, machine: Rented, status: str) -> dict[str, Any]:
        running = status == "running"
        access = {"type": "ONE_TO_ONE_NAT", "name": "External NAT", **({"natIP": machine.address} if running else {})}
        return {
            "name": machine.name,
            "id": str(int(machine.id[:8], 16)),
            "status": STATUSES.get(status, "STOPPING"),
            "creationTimestamp": datetime.fromtimestamp(machine.made_at, UTC).isoformat(),
            "labels": {LABEL: self.label},
            "networkInterfaces": [{"networkIP": "10.0.0.2", "accessConfigs": [access]}],
        }

    async def _managed(self, request: web.Request) -> web.StreamResponse:
        shown = {machine.id: status for machine, status in self.cloud.listed()}
        entries = [self._member(machine, shown) for machine in self.members.values()]
        found = [entry for entry in entries if entry is not None]
        return await send(request, {"managedInstances": found} if found else {}, fault_of(request))

    def _member(self, machine: Rented, shown: dict[str, str]) -> dict[str, Any] | None:
        """None once it is gone."""
        url = f"https://www.googleapis.com{self.zone_path}/instances/{machine.name}"
        if not machine.billed:
            gone = machine.gone_at is not None
            return None if gone else {"instance": url, "name": machine.name, "currentAction": "CREATING"}
        status = shown.get(machine.id)
        if status is None:
            return None
        action = {"starting": "CREATING", "deleting": "DELETING"}.get(status, "NONE")
        return {"instance": url, "name": machine.name, "currentAction": action, "instanceStatus": STATUSES[status]}

    async def _create(self, request: web.Request) -> web.StreamResponse:
        asked = request[ENTRY].json["instances"]
        kind = getattr(fault_of(request), "kind", None)
        known = request.query.get("requestId", "") in self._done
        if not known and any(self.cloud.find(config["name"]) for config in asked):
            return await self.fail(request, 409, "already exists")
        for config in asked if not known else ():
            machine = self.cloud.rent(
                config["name"], self.usd_per_hour, config, broken=kind == "failed", stuck=kind == "stuck"
            )
            machine.billed = kind != "stuck"
            self.members[machine.name] = machine
        self._done.add(request.query.get("requestId", ""))
        if kind == "error":
            return await self.fail(request, 500)
        return await self._operation(request)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        return await self._grouped(request, self.cloud.delete)

    async def _stop(self, request: web.Request) -> web.StreamResponse:
        return await self._grouped(request, self.cloud.stop)

    async def _grouped(self, request: web.Request, act: Any) -> web.StreamResponse:
        names = [path.rpartition("/")[2] for path in request[ENTRY].json["instances"]]
        machines = [self.members[name] for name in names if name in self.members and self.cloud.find(name)]
        if len(machines) < len(names):
            return await self.fail(request, 400, "The instance is not a member of the group.")
        for machine in machines:
            act(machine)
        return await self._operation(request)

    async def _delete_alone(self, request: web.Request) -> web.StreamResponse:
        machine = self.cloud.find(request.match_info["name"])
        if machine is None:
            return await self.fail(request, 404)
        self.cloud.delete(machine)
        if machine.name in self.members:
            # The group makes it again: it is to be deleted through the group.
            self.members[machine.name] = self.cloud.rent(
                machine.name, self.usd_per_hour, machine.asked, broken=False, stuck=False
            )
        return await self._operation(request)

    async def _stop_alone(self, request: web.Request) -> web.StreamResponse:
        machine = self.cloud.find(request.match_info["name"])
        if machine is None:
            return await self.fail(request, 404)
        self.cloud.stop(machine)
        return await self._operation(request)

    async def _operation(self, request: web.Request) -> web.StreamResponse:
        return await send(request, {"kind": "compute#operation", "status": "RUNNING"}, fault_of(request))
