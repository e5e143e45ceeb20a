"""A contract that emits the TicketBroker's two events for any winning ticket it is told of, and calls to it.

Nothing is paid or checked. It is written in the machine's own code, so that no compiler is needed.
Source of the events: livepeer/protocol, contracts/pm/mixins/MixinTicketBrokerCore.sol.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

TRANSFER = "8b87351a208c06e3ceee59d80725fd77a23b4129e1b51ca231fc89b40712649c"
REDEEMED = "c389eb51ed006dbf2528507f010efdf5225ea596e1e1741d74f550dab1925ee7"
BROKER = "0x000000000000000000000000000000000000b40c"
GATEWAY = "0x012345de92b630c065dfc0cabe4eb34f74f7fc85"
CERTAIN = 2**256 - 1
WORD = 32
VIEW_SIZE = 36
MINED_S = 0.002
FUNDS = 4
"""Words in storage and of `getSenderInfo`: deposit, withdrawRound, fundsRemaining, claimedInCurrentRound."""

# What it is called with: a topic, sender and recipient as topics, the amount; another topic, and that event's data.
# A call of 36 bytes is `getSenderInfo(address)`.
CODE = "0x" + "".join(
    (
        "36602414602c57",  # if calldatasize == 36: goto view
        "366000600037",  # memory = calldata
        "60405160205160005160206060a3",  # log3(word 3; topics word 0, word 1, word 2)
        "60405160205160805160a0360360a0a3",  # log3(words from 5; topics word 4, word 1, word 2)
        "00",  # stop
        "5b",  # view:
        *(f"60{word:02x}5460{word * WORD:02x}52" for word in range(FUNDS)),  # memory = the first four of storage
        "60806000f3",  # return it
    )
)


@dataclass(frozen=True, slots=True)
class WinningTicket:
    """To be redeemed for its whole face value; `win_prob` is in parts of CERTAIN."""

    recipient: str
    face_value_wei: int
    win_prob: int
    round: int
    sender: str = GATEWAY

    def call(self) -> str:
        """What the contract is called with to redeem it."""
        aux_data = self.round.to_bytes(WORD, "big") + bytes(WORD)
        nonce, random, aux_data_at = 1, 2, 5 * WORD
        numbers = (self.face_value_wei, self.win_prob, nonce, random, aux_data_at, len(aux_data))
        parties = _topic(self.sender) + _topic(self.recipient)
        data = "".join(map(_word, numbers)) + aux_data.hex()
        return "0x" + TRANSFER + parties + _word(self.face_value_wei) + REDEEMED + data


def emitted(call: str) -> Iterator[tuple[list[str], str]]:
    """Topics and data of what the contract emits when it is called: its code in other words."""
    digits = call.removeprefix("0x")
    words = [digits[at : at + 2 * WORD] for at in range(0, 10 * WORD, 2 * WORD)]
    parties = ["0x" + words[1], "0x" + words[2]]
    yield ["0x" + words[0], *parties], "0x" + words[3]
    yield ["0x" + words[4], *parties], "0x" + digits[10 * WORD :]


class TicketBroker:
    """The contract on the chain of the node at `url`: anvil, or simulator.chain's."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet."""
        self._client = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False)
        self._account = ""
        self._at = 0

    async def deploy(self, deposit_wei: int, reserve_wei: int) -> None:
        """Put the contract there, with what every sender has deposited."""
        [self._account, *_] = await self._call("eth_accounts")
        await self._call("anvil_setCode", BROKER, CODE)
        for place, number in enumerate((deposit_wei, 0, reserve_wei, 0)):
            await self._call("anvil_setStorageAt", BROKER, hex(place), "0x" + _word(number))

    async def redeem(self, ticket: WinningTicket, at: float) -> None:
        """In a block of its own, at this time or a second after the last one."""
        self._at = max(int(at), self._at + 1)
        await self._call("evm_setNextBlockTimestamp", self._at)
        transaction = {"from": self._account, "to": BROKER, "data": ticket.call(), "gas": hex(1_000_000)}
        sent = await self._call("eth_sendTransaction", transaction)
        # anvil mines a moment after it has answered.
        while await self._call("eth_getTransactionReceipt", sent) is None:  # noqa: ASYNC110 (a node can only be asked)
            await asyncio.sleep(MINED_S)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _call(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = (await self._client.post("/", json=body)).raise_for_status().json()
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]


def _word(number: int) -> str:
    return number.to_bytes(WORD, "big").hex()


def _topic(address: str) -> str:
    return address.removeprefix("0x").lower().rjust(2 * WORD, "0")
