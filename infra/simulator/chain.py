"""A chain where there is no anvil: one node, a block for each transaction, and the contract of simulator.tickets."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aiohttp import web

from simulator.faults import TRANSPORT, Kind
from simulator.reply import send
from simulator.server import Simulator, fault_of
from simulator.tickets import FUNDS, VIEW_SIZE, emitted

ACCOUNT = "0x" + "f3" * 20
GAS, GAS_PRICE_WEI = 60_000, 10_000_000
UNKNOWN_METHOD = -32601


@dataclass(frozen=True, slots=True)
class Block:
    """A block; its hash follows from what it holds."""

    number: int
    timestamp: int
    call: str = ""
    logs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def hash(self) -> str:
        """Of its number, time and transaction."""
        return "0x" + hashlib.sha256(f"{self.number} {self.timestamp} {self.call}".encode()).hexdigest()

    def shown(self) -> dict[str, Any]:
        """Its header."""
        return {"number": hex(self.number), "hash": self.hash, "timestamp": hex(self.timestamp)}


class Chain(Simulator):
    """The node. Its first block is of the time `began`; every block is final at once."""

    name: ClassVar[str] = "chain"

    def __init__(self, chain_id: int, began: int) -> None:
        """Nothing listens yet, and no contract is there."""
        super().__init__()
        self.chain_id = chain_id
        self._blocks = [Block(0, began)]
        self._receipts: dict[str, dict[str, Any]] = {}
        self._code: dict[str, str] = {}
        self._storage: dict[int, str] = {}
        self._next_at = began

    def routes(self) -> Iterable[web.RouteDef]:
        """The one endpoint."""
        return [web.post("/", self._rpc)]

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Faults of the wire."""
        return TRANSPORT

    async def _rpc(self, request: web.Request) -> web.StreamResponse:
        call = await request.json()
        method = _METHODS.get(call["method"])
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        if method is None:
            answer["error"] = {"code": UNKNOWN_METHOD, "message": f"{call['method']} is not known here"}
        else:
            answer["result"] = method(self, *call["params"])
        return await send(request, answer, fault_of(request))

    def _accounts(self) -> list[str]:
        return [ACCOUNT]

    def _id(self) -> str:
        return hex(self.chain_id)

    def _height(self) -> str:
        return hex(self._blocks[-1].number)

    def _block(self, number: str, _full: bool) -> dict[str, Any] | None:
        found = self._blocks[-1:] if not number.startswith("0x") else self._blocks[int(number, 16) :]
        return found[0].shown() if found else None

    def _logs(self, filter_: Mapping[str, Any]) -> list[dict[str, Any]]:
        first, last = int(filter_["fromBlock"], 16), int(filter_["toBlock"], 16)
        wanted = [None if one is None else {one} if isinstance(one, str) else set(one) for one in filter_["topics"]]
        return [
            log
            for block in self._blocks[first : last + 1]
            for log in block.logs
            if log["address"] == filter_["address"].lower()
            and all(choice is None or topic in choice for topic, choice in zip(log["topics"], wanted, strict=False))
        ]

    def _receipt(self, transaction: str) -> dict[str, Any] | None:
        return self._receipts.get(transaction)

    def _code_at(self, address: str, _block: str) -> str:
        return self._code.get(address.lower(), "0x")

    def _called(self, call: Mapping[str, Any], _block: str) -> str:
        """`getSenderInfo` of the contract; nothing of anything else."""
        if call["to"].lower() not in self._code or len(call["data"]) != 2 + 2 * VIEW_SIZE:
            return "0x"
        return "0x" + "".join(self._storage.get(place, "0x" + "00" * 32)[2:] for place in range(FUNDS))

    def _set_code(self, address: str, code: str) -> None:
        self._code[address.lower()] = code

    def _set_storage(self, _address: str, place: str, word: str) -> bool:
        self._storage[int(place, 16)] = word
        return True

    def _set_time(self, at: int) -> None:
        self._next_at = at

    def _transaction(self, sent: Mapping[str, Any]) -> str:
        block = Block(len(self._blocks), self._next_at, sent["data"])
        transaction = "0x" + hashlib.sha256(block.hash.encode()).hexdigest()
        block.logs.extend(
            {
                "address": sent["to"].lower(),
                "topics": topics,
                "data": data,
                "blockNumber": hex(block.number),
                "blockHash": block.hash,
                "transactionHash": transaction,
                "logIndex": hex(index),
                "removed": False,
            }
            for index, (topics, data) in enumerate(emitted(sent["data"]))
        )
        cost = {"gasUsed": hex(GAS), "effectiveGasPrice": hex(GAS_PRICE_WEI)}
        self._receipts[transaction] = {"transactionHash": transaction, "status": "0x1", "logs": block.logs, **cost}
        self._blocks.append(block)
        self._next_at += 1
        return transaction


_METHODS: Mapping[str, Callable[..., Any]] = {
    "eth_accounts": Chain._accounts,
    "eth_blockNumber": Chain._height,
    "eth_call": Chain._called,
    "eth_chainId": Chain._id,
    "eth_getBlockByNumber": Chain._block,
    "eth_getCode": Chain._code_at,
    "eth_getLogs": Chain._logs,
    "eth_getTransactionReceipt": Chain._receipt,
    "eth_sendTransaction": Chain._transaction,
    "evm_setNextBlockTimestamp": Chain._set_time,
    "anvil_setCode": Chain._set_code,
    "anvil_setStorageAt": Chain._set_storage,
}
