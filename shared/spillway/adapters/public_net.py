"""What of the network anybody may reach: the guard of every connection to an address that was given from outside.

It is checked twice: when a name is resolved, and again when a socket is made, because an address that is written as
a number never goes through a resolver, and `127.1`, `2130706433` and `0x7f000001` are numbers too.
"""

import ipaddress
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_HOLDING_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""NAT64, and IPv4 inside of IPv6 as it was before that."""
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is given out to anybody. Beside it lie site-local addresses, networks' own NAT64 and what may come."""
_NOT_FOR_ALL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20")))
"""Looks public to `ipaddress`: protocol assignments, 6to4's relays, Azure's own services, and documentation."""


def is_public(address: str) -> bool:
    """Whether an IP address is reachable by anybody: not private, loopback, link-local, metadata or reserved.

    An IPv6 address that leads to an IPv4 one is as public as that. Raises ValueError for what is no address.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _inner(ip) or ip
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_FOR_ALL)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(ip in network for network in _HOLDING_IPV4):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those with any address on the inside."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp asks it. Raises OSError for an address on the inside."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(entry["host"]) for entry in found):
            raise OSError(f"{host} leads to a private address")
        return found

    async def close(self) -> None:
        """Let the resolver underneath go."""
        await self._resolver.close()


def public_socket(place: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    """As aiohttp asks for a socket: `place` is one of getaddrinfo's. Raises OSError for an address on the inside."""
    family, kind, protocol, _, address = place
    try:
        public = is_public(address[0])
    except ValueError:
        public = False
    if not public:
        raise OSError(f"{address[0]} is a private address")
    return socket.socket(family, kind, protocol)
