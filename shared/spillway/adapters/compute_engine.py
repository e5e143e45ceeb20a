"""Machines of a managed instance group on Compute Engine, each made and deleted by its own name.

The group's template says what they are (machine type, GPU, image with driver, service account) and labels them; the
first boot's document goes with each instance. Machines are found by their label and in the group, so one that fell
out of the group is found too.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import CALL_S, TRY_S, Authorization, JsonApi, as_documented
from spillway.domain.burst import MachineSpec, Status
from spillway.domain.burst_book import Sighting
from spillway.domain.cloud_init import cloud_config
from spillway.domain.machine_names import is_of
from spillway.errors import RequestRejected

BACKEND = "compute engine"
API = "https://compute.googleapis.com"
METADATA = "http://metadata.google.internal"
LABEL = "spillway-burst"
RENEWED_BEFORE_S = 120.0
_STATUSES: Mapping[str, Status] = {
    "PROVISIONING": "starting",
    "STAGING": "starting",
    "PENDING": "starting",
    "RUNNING": "running",
    "PENDING_STOP": "stopping",
    "STOPPING": "stopping",
    "SUSPENDING": "stopping",
    "DEPROVISIONING": "deleting",
    "STOPPED": "stopped",
    "SUSPENDED": "stopped",
    "TERMINATED": "stopped",
}
_ACTIONS: Mapping[str, Status] = {
    "CREATING": "starting",
    "CREATING_WITHOUT_RETRIES": "starting",
    "RECREATING": "starting",
    "STOPPING": "stopping",
    "DELETING": "deleting",
}


def metadata_token(pool: HttpPool, base_url: str = METADATA) -> Authorization:
    """The access token of the service account that this runs as, from the metadata server; kept until it ends."""

    async def flavor() -> Mapping[str, str]:
        return {"metadata-flavor": "Google"}

    api = JsonApi("the metadata server", pool, base_url, flavor)
    held: tuple[str, float] = ("", 0.0)

    async def authorization() -> Mapping[str, str]:
        nonlocal held
        if time.monotonic() >= held[1]:
            answer = await api.get("/computeMetadata/v1/instance/service-accounts/default/token")
            with as_documented(api.name):
                lasts_s = float(answer["expires_in"]) - RENEWED_BEFORE_S
                held = answer["access_token"], time.monotonic() + lasts_s
        return {"authorization": f"Bearer {held[0]}"}

    return authorization


class ComputeEngine:
    """Adapter of ports.burst.Machines for the group `group` in a zone."""

    def __init__(
        self,
        pool: HttpPool,
        authorization: Authorization,
        *,
        project: str,
        zone: str,
        group: str,
        deployment: str,
        port: int = 8935,
        base_url: str = API,
        try_s: float = TRY_S,
        call_s: float = CALL_S,
    ):
        self._api = JsonApi(BACKEND, pool, base_url, authorization, try_s=try_s, call_s=call_s)
        self._zone = f"/compute/v1/projects/{project}/zones/{zone}"
        self._group = f"{self._zone}/instanceGroupManagers/{group}"
        self._instances = f"zones/{zone}/instances"
        self._deployment, self._port = deployment, port

    async def sightings(self) -> list[Sighting]:
        """What bears the label, and what the group makes or holds."""
        with as_documented(BACKEND):
            managed = await self._managed()
            labelled = {str(entry.get("name")): entry for entry in await self._labelled()}
            names = sorted(name for name in {*managed, *labelled} if is_of(self._deployment, name))
            return [self._sighting(name, managed.get(name), labelled.get(name)) for name in names]

    async def create(self, name: str, spec: MachineSpec) -> None:
        """Repeated where the answer is lost: the request's id makes it the same request."""
        user_data = cloud_config(dict(spec.cloud_init))
        config = {"name": name, "preservedState": {"metadata": {"user-data": user_data}}}
        request = uuid.uuid5(uuid.NAMESPACE_URL, name)
        await self._api.call("POST", f"{self._group}/createInstances?requestId={request}", {"instances": [config]})

    async def stop(self, name: str) -> None:
        """Through the group, or it would start it again; by itself where it fell out of the group."""
        body = {"instances": [f"{self._instances}/{name}"], "forceStop": False}
        if not await self._in_group("stopInstances", body):
            await self._api.unless_gone("POST", f"{self._zone}/instances/{name}/stop")

    async def delete(self, name: str) -> None:
        """Through the group, or it would be made again; by itself where it fell out of the group."""
        body = {"instances": [f"{self._instances}/{name}"]}
        if not await self._in_group("deleteInstances", body):
            await self._api.unless_gone("DELETE", f"{self._zone}/instances/{name}")

    async def _in_group(self, action: str, body: Mapping[str, Any]) -> bool:
        """False where the group does not know the instance (400 or 404)."""
        try:
            await self._api.call("POST", f"{self._group}/{action}", body)
        except RequestRejected as error:
            if error.status not in {400, 404}:
                raise
            return False
        return True

    async def _labelled(self) -> list[Mapping[str, Any]]:
        query = {"filter": f"labels.{LABEL}={self._deployment}", "maxResults": "500"}
        found, page = list[Mapping[str, Any]](), ""
        while True:
            answer = await self._api.get(f"{self._zone}/instances", **query, **({"pageToken": page} if page else {}))
            found += answer.get("items", [])
            page = answer.get("nextPageToken", "")
            if not page:
                return found

    async def _managed(self) -> dict[str, Mapping[str, Any]]:
        answer = await self._api.call("POST", f"{self._group}/listManagedInstances?maxResults=500")
        entries = answer.get("managedInstances", [])
        return {str(entry.get("instance", entry.get("name", ""))).rpartition("/")[2]: entry for entry in entries}

    def _sighting(self, name: str, managed: Mapping[str, Any] | None, labelled: Mapping[str, Any] | None) -> Sighting:
        """What the group is about to do with it says more than what it is."""
        is_now = str((labelled or managed or {}).get("status", (managed or {}).get("instanceStatus", "")))
        status = _ACTIONS.get(str((managed or {}).get("currentAction")), _STATUSES.get(is_now, "unknown"))
        host = _host(labelled or {})
        return Sighting(name, status, f"{host}:{self._port}" if host and status == "running" else "")


def _host(instance: Mapping[str, Any]) -> str:
    """The outer address, or the inner one where there is no other."""
    for interface in instance.get("networkInterfaces", []):
        outer = [access.get("natIP") for access in interface.get("accessConfigs", [])]
        host = next((address for address in outer if address), interface.get("networkIP"))
        if host:
            return str(host)
    return ""
