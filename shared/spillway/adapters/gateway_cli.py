"""The CLI port of the subnet's gateway: which orchestrators it knows, how many slots they have, and its deposit."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import JsonApi
from spillway.domain.deposit import Funds
from spillway.domain.gateway_pools import Key, Pool, read_pools
from spillway.errors import BrokenAnswer, Overflow, RequestRejected

BACKEND = "the gateway's CLI port"
TRY_S, CALL_S = 3.0, 5.0


class GatewayCli:
    """Adapter of ports.burst.Readiness and ports.deposits.Deposits; older gateways lack an endpoint, or several."""

    def __init__(self, pool: HttpPool, *, base_url: str, try_s: float = TRY_S, call_s: float = CALL_S):
        self._api = JsonApi(BACKEND, pool, base_url, try_s=try_s, call_s=call_s)

    async def pools(self) -> dict[Key, Pool]:
        """By pipeline and model. Raises Overflow where neither endpoint answered."""
        capabilities, sessions = await asyncio.gather(
            self._told("/getNetworkCapabilities"), self._told("/getAISessionPoolsInfo")
        )
        if capabilities is None and sessions is None:
            raise Overflow(f"{BACKEND} tells nothing of orchestrators")
        return read_pools(capabilities, sessions)

    async def capacities(self) -> Mapping[Key, int]:
        """Slots by pipeline and model, of the orchestrators that get jobs now."""
        return {key: pool.capacity for key, pool in (await self.pools()).items()}

    async def ready(self, addresses: Collection[str]) -> Mapping[str, bool]:
        """Whether the gateway knows an orchestrator at each address, suspended or not."""
        known = {address for pool in (await self.pools()).values() for address in pool.slots}
        return {address: address in known for address in addresses}

    async def funds(self, sender: str) -> Funds:
        """The deposit of the gateway behind the port, whoever that is. Raises Overflow."""
        told = await self._told("/senderInfo")
        try:
            reserve = told["Reserve"]
            return Funds(
                int(told["Deposit"]), int(reserve["FundsRemaining"]), int(reserve["ClaimedInCurrentRound"]),
                int(told["WithdrawRound"]),
            )  # fmt: skip
        except (TypeError, KeyError, ValueError) as error:
            raise BrokenAnswer(f"{BACKEND} tells nothing of the deposit") from error

    async def close(self) -> None:
        """The connections are the pool's."""

    async def _told(self, path: str) -> Any:
        try:
            return await self._api.get(path)
        except (Overflow, RequestRejected):
            return None
