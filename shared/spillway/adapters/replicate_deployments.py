"""Deployments at Replicate, through its HTTP API: the least and the most instances of each."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import JsonApi
from spillway.errors import BrokenAnswer, Overflow
from spillway.ports.deployments import Scale

BACKEND = "replicate"
TRY_S = 5.0
CALL_S = 12.0


class ReplicateDeployments:
    """Adapter of ports.deployments.Deployments. To set a scale twice does no harm, so failed calls are repeated."""

    def __init__(self, pool: HttpPool, *, base_url: str, token: str, try_s: float = TRY_S, call_s: float = CALL_S):
        async def authorization() -> Mapping[str, str]:
            return {"authorization": f"Bearer {token}"}

        self._api = JsonApi(BACKEND, pool, base_url, authorization, try_s=try_s, call_s=call_s)

    async def scale(self, name: str) -> Scale:
        """One call."""
        return _scale(await self._api.get(_path(name)))

    async def set_scale(self, name: str, scale: Scale) -> Scale:
        """Change it and ask what came of that: a 200 does not prove it, nor does a 500 disprove it."""
        found = await self._change(name, scale)
        return found if found == scale else await self._change(name, scale)

    async def _change(self, name: str, scale: Scale) -> Scale:
        failure: Overflow | None = None
        try:
            await self._api.call("PATCH", _path(name), {"min_instances": scale.least, "max_instances": scale.most})
        except Overflow as error:
            failure = error
        try:
            found = await self.scale(name)
        except Overflow as error:
            raise failure or error from error
        if failure is not None and found != scale:
            raise failure
        return found


def _path(name: str) -> str:
    return f"/v1/deployments/{quote(name)}"


def _scale(answer: Any) -> Scale:
    """Raises BrokenAnswer."""
    try:
        configuration = answer["current_release"]["configuration"]
        return Scale(int(configuration["min_instances"]), int(configuration["max_instances"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnswer(f"{BACKEND}'s deployment has no configuration") from error
