"""Machines rented at TensorDock, through its v2 API. It has no tags: names say whose a machine is and since when."""

from collections.abc import Iterator, Mapping
from typing import Any

from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import CALL_S, TRY_S, JsonApi, as_documented
from spillway.domain.burst import Hardware, MachineSpec, Status
from spillway.domain.burst_book import Sighting
from spillway.domain.machine_names import is_of
from spillway.errors import BrokenAnswer, NoCapacity, Overflow, RequestRejected

BACKEND = "tensordock"
INSTANCES = "/api/v2/instances"
PLACES_TRIED = 3
_STATUSES: Mapping[str, Status] = {
    "creating": "starting",
    "provisioning": "starting",
    "starting": "starting",
    "running": "running",
    "stopping": "stopping",
    "stopped": "stopped",
    "stoppeddisassociated": "stopped",
    "deleting": "deleting",
    # As long as it is listed, it is not known to be gone.
    "deleted": "deleting",
    "error": "failed",
    "failed": "failed",
}


class TensorDock:
    """Adapter of ports.burst.Machines. Machines get an address of their own, so that `port` is the outer port too."""

    def __init__(
        self,
        pool: HttpPool,
        *,
        base_url: str,
        token: str,
        deployment: str,
        port: int = 8935,
        try_s: float = TRY_S,
        call_s: float = CALL_S,
    ):
        async def authorization() -> Mapping[str, str]:
            return {"authorization": f"Bearer {token}"}

        self._api = JsonApi(BACKEND, pool, base_url, authorization, try_s=try_s, call_s=call_s)
        self._deployment, self._port = deployment, port
        self._addresses: dict[str, str] = {}

    async def sightings(self) -> list[Sighting]:
        """One call, and one more for each running machine whose address is not known yet."""
        return [await self._sighting(entry) for entry in await self._own()]

    async def create(self, name: str, spec: MachineSpec) -> None:
        """At the cheapest place with the hardware, the next one where it refuses; an unknown outcome is looked up."""
        refusal: Exception | None = None
        for place in (await self._places(spec))[:PLACES_TRIED]:
            try:
                await self._api.call("POST", INSTANCES, _creation(name, spec, place), repeat=False)
            except RequestRejected as error:
                refusal = error
            except Overflow:
                if not await self._ids(name):
                    raise
                return
            else:
                return
        raise NoCapacity(f"{BACKEND} has no {spec.hardware.gpu} for {spec.usd_per_hour:g} USD an hour") from refusal

    async def stop(self, name: str) -> None:
        """Every machine of the name."""
        for instance in await self._ids(name):
            await self._api.unless_gone("POST", f"{INSTANCES}/{instance}/stop")

    async def delete(self, name: str) -> None:
        """Every machine of the name."""
        for instance in await self._ids(name):
            await self._api.unless_gone("DELETE", f"{INSTANCES}/{instance}")

    async def _own(self) -> list[Mapping[str, Any]]:
        """The entries of this deployment's machines."""
        return [
            entry for entry in _entries(await self._api.get(INSTANCES)) if is_of(self._deployment, _text(entry, "name"))
        ]

    async def _sighting(self, entry: Mapping[str, Any]) -> Sighting:
        status = _STATUSES.get(_text(entry, "status").lower(), "unknown")
        instance = _text(entry, "id")
        if status == "running" and instance not in self._addresses:
            await self._look_up(entry)
        return Sighting(_text(entry, "name"), status, self._addresses.get(instance, ""))

    async def _look_up(self, entry: Mapping[str, Any]) -> None:
        instance = _text(entry, "id")
        host = _text(entry, "ipAddress")
        if not host:
            try:
                host = _text(_flat(await self._api.get(f"{INSTANCES}/{instance}")), "ipAddress")
            except (Overflow, RequestRejected):
                return  # It counts as not ready; the next round asks again.
        if host:
            self._addresses[instance] = f"{host}:{self._port}"

    async def _ids(self, name: str) -> list[str]:
        return [_text(entry, "id") for entry in await self._own() if _text(entry, "name") == name]

    async def _places(self, spec: MachineSpec) -> list[str]:
        """The locations that have the hardware within the price, the cheapest first."""
        answer = await self._api.get("/api/v2/locations")
        with as_documented(BACKEND):
            offers = [
                (price, str(location["id"]))
                for location in answer["data"]["locations"]
                for offer in location.get("gpus", [])
                if (price := _price(offer, spec.hardware)) is not None and price <= spec.usd_per_hour
            ]
        return [place for _, place in sorted(offers)]


def _price(offer: Mapping[str, Any], hardware: Hardware) -> float | None:
    """USD an hour of the hardware here, None where it can't be had."""
    most, per = offer.get("resources") or {}, offer.get("pricing") or {}
    enough = (
        offer.get("v0Name") == hardware.gpu
        and offer.get("max_count", 0) >= 1
        and most.get("max_vcpus", 0) >= hardware.vcpus
        and most.get("max_ram_gb", 0) >= hardware.ram_gb
        and most.get("max_storage_gb", 0) >= hardware.storage_gb
        and (offer.get("network_features") or {}).get("dedicated_ip_available", False)
    )
    if not enough:
        return None
    return float(
        offer.get("price_per_hr", 0.0)
        + hardware.vcpus * per.get("per_vcpu_hr", 0.0)
        + hardware.ram_gb * per.get("per_gb_ram_hr", 0.0)
        + hardware.storage_gb * per.get("per_gb_storage_hr", 0.0)
    )


def _creation(name: str, spec: MachineSpec, place: str) -> dict[str, Any]:
    hardware = spec.hardware
    attributes = {
        "name": name,
        "type": "virtualmachine",
        "image": hardware.image,
        "location_id": place,
        "resources": {
            "vcpu_count": hardware.vcpus,
            "ram_gb": hardware.ram_gb,
            "storage_gb": hardware.storage_gb,
            "gpus": {hardware.gpu: {"count": 1}},
        },
        "useDedicatedIp": True,
        "ssh_key": hardware.ssh_key,
        "cloud_init": dict(spec.cloud_init),
    }
    return {"data": {"type": "virtualmachine", "attributes": attributes}}


def _entries(answer: Any) -> Iterator[Mapping[str, Any]]:
    """The machines of a listing, in either of the two shapes that the documentation shows. Raises BrokenAnswer."""
    data = answer.get("data") if isinstance(answer, dict) else None
    holder = data.get("attributes", data) if isinstance(data, dict) else {}
    instances = holder.get("instances") if isinstance(holder, dict) else None
    if not isinstance(instances, list):
        raise BrokenAnswer(f"{BACKEND}'s listing has no instances")
    for entry in instances:
        if isinstance(entry, dict):
            yield _flat(entry)


def _flat(entry: Any) -> dict[str, Any]:
    """An instance without its envelopes: some calls wrap it in `data` or `attributes`, some don't."""
    whole = dict(entry) if isinstance(entry, dict) else {}
    for wrapper in ("data", "attributes"):
        inner = whole.pop(wrapper, None)
        if isinstance(inner, dict):
            whole |= inner
    inner = whole.pop("attributes", None)
    return whole | inner if isinstance(inner, dict) else whole


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
