"""Gateways' deposits, as the TicketBroker's `getSenderInfo` tells them.

It returns two structs of two words: deposit and withdrawRound, fundsRemaining and claimedInCurrentRound.
Source: livepeer/protocol, contracts/pm/mixins/MixinReserve.sol and MixinTicketBrokerCore.sol.
"""

from spillway.adapters.chain_nodes import Nodes
from spillway.adapters.json_rpc import Node
from spillway.domain.chain_answers import read_data
from spillway.domain.deposit import Funds
from spillway.domain.keccak import keccak_256
from spillway.domain.tickets import topic_of

_SENDER_INFO = "0x" + keccak_256(b"getSenderInfo(address)")[:4].hex()


class ChainDeposits:
    """Adapter of ports.deposits.Deposits over nodes of the chain."""

    def __init__(self, nodes: Nodes, broker: str):
        self._nodes, self._broker = nodes, broker

    async def funds(self, sender: str) -> Funds:
        """At the newest block: it is for watching, not for the books."""
        call = {"to": self._broker, "data": _SENDER_INFO + topic_of(sender)[2:]}

        async def job(node: Node) -> Funds:
            return _read(read_data(await node.call("eth_call", call, "latest")))

        return (await self._nodes.in_turn(job))[0]

    async def close(self) -> None:
        """Close all connections."""
        await self._nodes.close()


def _read(data: bytes) -> Funds:
    if len(data) != 128:
        raise ValueError(f"getSenderInfo returned {len(data)} bytes instead of 128")
    deposit, withdraw_round, remaining, claimed = (
        int.from_bytes(data[at : at + 32], "big") for at in range(0, 128, 32)
    )
    return Funds(deposit, remaining, claimed, withdraw_round)
