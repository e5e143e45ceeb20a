"""A node of a chain that can't be relied on: it stands before a real one, and limits, lags, forks and lies."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import aiohttp
from aiohttp import web

from simulator.chain_lies import LIES, OF_LOGS, Lie, other
from simulator.faults import TRANSPORT, Fault, Kind
from simulator.reply import forever, send
from simulator.server import Simulator, fault_of

TIMEOUT_S = 60.0


@dataclass(slots=True)
class Limits:
    """What the node refuses; None for nothing. `style` chooses the words, as there are many makers of nodes.

    Logs of more than `hangs` blocks are never answered; the node is so many blocks `behind`.
    """

    blocks: int | None = None
    logs: int | None = None
    hangs: int | None = None
    behind: int = 0
    style: int = 0


TOO_MUCH: tuple[tuple[int, int, str], ...] = (
    (200, -32005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
    (200, -32600, "eth_getLogs is limited to a 2 block range"),
    (400, -32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range"),
    (200, -32614, "exceed maximum block range: 5000"),
    (413, -32000, "request entity too large"),
)
"""HTTP status, code and words, as five makers have them."""


class ChainNode(Simulator):
    """Passes JSON-RPC calls on to the node at `upstream`. `lies` and `limits` may be changed at any time."""

    name: ClassVar[str] = "chain_node"

    def __init__(
        self,
        upstream: str,
        *lies: Lie,
        limits: Limits | None = None,
        chain_id: int | None = None,
        slow_s: Mapping[str, float] | None = None,
        time_scale: float = 1.0,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet. `slow_s` is how long calls take, by method."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.upstream, self.chain_id = upstream, chain_id
        self.lies: set[Lie] = set(lies)
        self.limits, self.slow_s = limits or Limits(), dict(slow_s or {})
        self.calls: list[tuple[str, Any]] = []
        self._session: aiohttp.ClientSession | None = None

    def routes(self) -> Iterable[web.RouteDef]:
        """The one endpoint; a path stands for a key."""
        return [web.post("/{key:.*}", self._rpc)]

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Faults of the wire."""
        return TRANSPORT

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """As most answer to more calls than were paid for."""
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": message or "rate limited"}}

    def settings(self) -> dict[str, Any]:
        """Shown at /_simulator."""
        return {"lies": sorted(self.lies), "calls": len(self.calls)}

    def change(self, name: str, value: Any) -> None:
        """`lies`, or one of the limits."""
        if name == "lies":
            self.lies = {lie for lie in LIES if lie in value}
        elif name in {field.name for field in fields(self.limits)}:
            setattr(self.limits, name, value)
        else:
            raise KeyError(name)

    async def closed(self) -> None:
        """Let go of the connection to the real node."""
        if self._session:
            await self._session.close()

    async def _rpc(self, request: web.Request) -> web.StreamResponse:
        call = await request.json()
        method, params = call["method"], call["params"]
        self.calls.append((method, params))
        await asyncio.sleep(self.slow_s.get(method, 0.0))
        if method == "eth_getLogs" and (refusal := await self._refused(params[0])):
            status, code, words = refusal
            error = {"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": words}}
            return await send(request, error, status=status)
        answer = {"jsonrpc": "2.0", "id": call["id"], **await self._asked(method, params)}
        return await send(request, {"hello": "world"} if "rubbish" in self.lies else answer, fault_of(request))

    async def _asked(self, method: str, params: list[Any]) -> dict[str, Any]:
        """The answer of the real node, with what this one makes of it."""
        if method == "eth_getBlockByNumber" and (params := await self._late(params)) == []:
            return {"result": None}
        answer = await self._real(method, params)
        if "result" not in answer:
            return {"error": answer["error"]}
        change = _CHANGES.get(method)
        result = change(self, answer["result"], params) if change else answer["result"]
        return {"result": result}

    async def _late(self, params: list[Any]) -> list[Any]:
        """The parameters of a question for a block, empty where the node has not heard of it."""
        if "wrong_blocks" in self.lies and params[0].startswith("0x"):
            return [hex(max(0, int(params[0], 16) - 1)), *params[1:]]
        if not self.limits.behind:
            return params
        head = max(0, int((await self._real("eth_blockNumber", []))["result"], 16) - self.limits.behind)
        if not params[0].startswith("0x"):
            return [hex(head), *params[1:]]
        return params if int(params[0], 16) <= head else []

    async def _refused(self, filter_: Mapping[str, Any]) -> tuple[int, int, str] | None:
        limits = self.limits
        blocks = int(filter_["toBlock"], 16) - int(filter_["fromBlock"], 16) + 1
        if limits.hangs is not None and blocks > limits.hangs:
            await forever()
        too_much = limits.blocks is not None and blocks > limits.blocks
        if limits.logs is not None and not too_much:
            too_much = len((await self._real("eth_getLogs", [filter_]))["result"]) > limits.logs
        return TOO_MUCH[limits.style] if too_much else None

    async def _real(self, method: str, params: list[Any]) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self._session.post(self.upstream, json=body) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    def _number(self, real: str, _: list[Any]) -> str:
        return hex(max(0, int(real, 16) - self.limits.behind))

    def _id(self, real: str, _: list[Any]) -> str:
        return real if self.chain_id is None else hex(self.chain_id)

    def _block(self, real: dict[str, Any] | None, _: list[Any]) -> dict[str, Any] | None:
        if real is None or "no_blocks" in self.lies:
            return None
        return {**real, "hash": other(real["hash"])} if self.lies & {"other_hashes", "forked"} else real

    def _receipt(self, real: dict[str, Any] | None, _: list[Any]) -> dict[str, Any] | None:
        return None if "no_receipts" in self.lies else real

    def _logs(self, real: list[dict[str, Any]], params: list[Any]) -> list[dict[str, Any]]:
        """Each lie is told of the last log; where there is none there is nothing to lie about."""
        if not real:
            return real
        logs = [{**log, "blockHash": other(log["blockHash"])} for log in real] if "forked" in self.lies else real
        for lie in sorted(self.lies & OF_LOGS.keys()):
            logs = OF_LOGS[lie](logs, params[0])
        return logs


_CHANGES: Mapping[str, Callable[[ChainNode, Any, list[Any]], Any]] = {
    "eth_blockNumber": ChainNode._number,
    "eth_chainId": ChainNode._id,
    "eth_getBlockByNumber": ChainNode._block,
    "eth_getTransactionReceipt": ChainNode._receipt,
    "eth_getLogs": ChainNode._logs,
}
