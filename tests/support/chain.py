"""An EVM node of one's own: anvil, with contracts that emit the TicketBroker's events."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from web3 import Web3

from spillway.domain.tickets import CERTAIN
from support.front_door import ROOT, free_port
from support.waiting import until_it_answers

FOLDER = ROOT / "tests/chain"
CHAIN_ID = 31337
GATEWAY = "0x012345dE92B630C065dFc0caBE4eB34f74f7FC85"
ETH = 10**18


def orchestrator(number: int) -> str:
    """The address of one of many."""
    return Web3.to_checksum_address(f"0x{0xABC0000 + number:040x}")


@dataclass(frozen=True, slots=True)
class Won:
    """A winning ticket to be redeemed. `amount` None pays the face value."""

    recipient: str = orchestrator(1)
    face: int = ETH // 1000
    amount: int | None = None
    sender: str = GATEWAY
    win_prob: int = CERTAIN // 1000
    round: int = 3500

    def tuple(self) -> tuple[Any, ...]:
        """As the contract takes it."""
        aux = self.round.to_bytes(32, "big") + b"\xbb" * 32
        amount = self.face if self.amount is None else self.amount
        return (self.sender, self.recipient, amount, self.face, self.win_prob, aux)


class RpcError(Exception):
    """The node refused a call."""


class Anvil:
    """A running node. Every transaction is mined in a block of its own unless something else is asked for."""

    def __init__(self, url: str):
        self.url = url
        self._http = httpx.Client(timeout=60)
        self.account = self.rpc("eth_accounts")[0]
        self.broker = self.deploy("TicketBroker")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of a call."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = self._http.post(self.url, json=body).json()
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    @property
    def height(self) -> int:
        """The number of the newest block."""
        return int(self.rpc("eth_blockNumber"), 16)

    def deploy(self, name: str) -> str:
        """A contract of TicketBroker.sol; gives its address."""
        receipt = self.receipt(self.mined(self._call(None, contracts()[name]["bytecode"])))
        return Web3.to_checksum_address(receipt["contractAddress"])

    def send(self, name: str, address: str, function: str, *arguments: Any) -> str:
        """Call a contract's function in a transaction; gives its hash once it is mined."""
        return self.mined(self.transaction(name, address, function, *arguments))

    def mined(self, transaction: dict[str, Any]) -> str:
        """Send a transaction; gives its hash once it is mined."""
        sent: str = self.rpc("eth_sendTransaction", transaction)
        self.receipt(sent)
        return sent

    def transaction(self, name: str, address: str, function: str, *arguments: Any) -> dict[str, Any]:
        """The same, to be sent by somebody else."""
        contract = Web3().eth.contract(abi=contracts()[name]["abi"])
        return self._call(address, contract.encode_abi(function, list(arguments)))

    def redeem(self, *tickets: Won) -> str:
        """Redeem them in one transaction; gives its hash."""
        return self.send("TicketBroker", self.broker, "redeem", [ticket.tuple() for ticket in tickets])

    def redemption(self, *tickets: Won) -> dict[str, Any]:
        """The transaction that redeems them, for a reorganisation."""
        return self.transaction("TicketBroker", self.broker, "redeem", [ticket.tuple() for ticket in tickets])

    def redeem_many(self, count: int, ticket: Won = Won()) -> str:
        """So many alike in one transaction; their amounts grow by one wei."""
        return self.send("TicketBroker", self.broker, "redeemMany", ticket.tuple(), count)

    def receipt(self, transaction: str) -> dict[str, Any]:
        """A transaction's receipt, once it is mined."""
        for _ in range(1000):
            receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction)
            if receipt is not None:
                assert receipt["status"] == "0x1", receipt
                return receipt
            time.sleep(0.01)
        raise RpcError(f"{transaction} is not mined")

    def mine(self, blocks: int = 1) -> None:
        """Empty blocks."""
        self.rpc("anvil_mine", hex(blocks))

    def reorganise(self, depth: int, transactions: Sequence[tuple[dict[str, Any], int]] = ()) -> None:
        """Replace the newest blocks by as many, with these transactions in the blocks of these places, from 0."""
        self.rpc("anvil_reorg", depth, [list(one) for one in transactions])

    def logs(self, first: int = 0) -> list[dict[str, Any]]:
        """The broker's logs."""
        found: list[dict[str, Any]] = self.rpc("eth_getLogs", {"address": self.broker, "fromBlock": hex(first)})
        return found

    def settings(self, state: Path, **more: str) -> dict[str, str]:
        """The environment of the product before this node; the newest block is final."""
        return {
            "SPILLWAY_RPC_URL": self.url,
            "SPILLWAY_CHAIN_ID": str(CHAIN_ID),
            "SPILLWAY_TICKET_BROKER": self.broker,
            "SPILLWAY_START_BLOCK": "0",
            "SPILLWAY_CONFIRMATIONS": "0",
            "SPILLWAY_STATE": f"sqlite:///{state}",
            **more,
        }

    def _call(self, to: str | None, data: str) -> dict[str, Any]:
        call = {"from": self.account, "data": data, "gas": hex(900_000_000)}
        return {**call, "to": to} if to else call


@contextmanager
def anvil(chain_id: int = CHAIN_ID) -> Iterator[Anvil]:
    """A node with a TicketBroker. CI has it; elsewhere tests without it are skipped."""
    port = free_port()
    command = [_binary(), "--port", str(port), "--chain-id", str(chain_id), "--silent", "--gas-limit", "1000000000"]
    process = subprocess.Popen([*command, "--slots-in-an-epoch", "1"], stdout=subprocess.DEVNULL)
    node = None
    try:
        until_it_answers(process, f"http://127.0.0.1:{port}")
        node = Anvil(f"http://127.0.0.1:{port}")
        yield node
    finally:
        if node:
            node.close()
        process.terminate()
        process.wait(15)


@cache
def contracts() -> dict[str, Any]:
    """What TicketBroker.sol compiles to, by the contracts' names."""
    made = subprocess.run(["node", FOLDER / "compile.mjs"], capture_output=True, text=True, check=True)
    return dict(json.loads(made.stdout))


def _binary() -> Path:
    found = sorted(FOLDER.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if found:
        return found[0]
    missing = "there is no anvil: run `make tests/chain/node_modules`"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
