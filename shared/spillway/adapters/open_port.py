"""Orchestrators by their port, where no gateway can be asked: go-livepeer listens once its models are warm."""

import asyncio
from collections.abc import Collection, Mapping

CONNECT_S = 3.0


class OpenPort:
    """Adapter of ports.burst.Readiness."""

    async def ready(self, addresses: Collection[str]) -> Mapping[str, bool]:
        """Whether something listens at each address."""
        listening = await asyncio.gather(*(_listens(address) for address in addresses))
        return dict(zip(addresses, listening, strict=True))


async def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    return True
