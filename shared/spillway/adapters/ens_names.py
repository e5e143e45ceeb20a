"""Names of the Ethereum Name Service, asked of a node of Ethereum itself: the other chains have none.

By hand, and for names of plain letters only, which need no normalising: what else looks like a name may be made to
look like another's. Nothing is fetched from where a resolver says that the rest of its answer is.
Source: https://docs.ens.domains/resolvers/universal
"""

import asyncio
import re

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from spillway.adapters.json_rpc import Node
from spillway.domain.chain_answers import read_data
from spillway.domain.keccak import keccak_256
from spillway.errors import ChainUnavailable

TRY_S = 3.0
UNIVERSAL_RESOLVER = "0xeEeEEEeE14D718C2B47D9923Deab1335E144EeEe"
_RESOLVE = keccak_256(b"resolve(bytes,bytes)")[:4]
_NAME = keccak_256(b"name(bytes32)")[:4]
_ADDRESS = keccak_256(b"addr(bytes32)")[:4]
_PLAIN = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}")


class EnsNames:
    """The name that an address has given itself, if the name leads back to the address."""

    def __init__(self, node: Node, *, try_s: float = TRY_S):
        self._node, self._try_s = node, try_s

    async def name(self, address: str) -> str | None:
        """None where it has none. Raises ChainError where that can't be told."""
        try:
            async with asyncio.timeout(self._try_s):
                return await self._name(address.lower())
        except TimeoutError as error:
            raise ChainUnavailable(f"{self._node.name} was silent for too long about a name") from error
        except (DecodingError, ValueError) as error:
            raise ChainUnavailable(f"{self._node.name} gave no name") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._node.close()

    async def _name(self, address: str) -> str | None:
        [name] = await self._resolved(f"{address[2:]}.addr.reverse", _NAME, "string")
        if not _PLAIN.fullmatch(name):
            return None
        [leads_to] = await self._resolved(name, _ADDRESS, "address")
        return str(name) if leads_to == address else None

    async def _resolved(self, name: str, selector: bytes, kind: str) -> tuple[str]:
        question = encode(["bytes", "bytes"], [_dns_encoded(name), selector + _hashed(name)])
        call = {"to": UNIVERSAL_RESOLVER, "data": f"0x{(_RESOLVE + question).hex()}"}
        answer = read_data(await self._node.call("eth_call", call, "latest"))
        result, _ = decode(["bytes", "address"], answer)
        return decode([kind], result) if result else ("",)


def _dns_encoded(name: str) -> bytes:
    """Each label after its length, and an empty one at the end."""
    labels = [label.encode() for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\x00"


def _hashed(name: str) -> bytes:
    """The namehash (ERC-137)."""
    node = b"\x00" * 32
    for label in reversed(name.split(".")):
        node = keccak_256(node + keccak_256(label.encode()))
    return node
