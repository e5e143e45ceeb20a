"""The stand-in before a real node: it passes calls on, and does what it is told to."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from simulator import ChainNode, Limits
from simulator.chain_lies import LIES
from simulator.server import background
from support.chain import Anvil, Won, anvil


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        running.redeem(Won(), Won(amount=3))
        running.mine(2)
        yield running


@pytest.fixture
def between(node: Anvil) -> Iterator[ChainNode]:
    made = ChainNode(node.url)
    with background(made):
        yield made


def asked(url: str, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
    answer = httpx.post(url, json=body, timeout=30)
    return answer.json()


def questions(node: Anvil) -> list[tuple[str, list[Any]]]:
    filter_ = {"address": node.broker, "fromBlock": "0x0", "toBlock": hex(node.height)}
    transaction = node.logs()[-1]["transactionHash"]
    return [
        ("eth_chainId", []),
        ("eth_blockNumber", []),
        ("eth_getBlockByNumber", ["0x2", False]),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getLogs", [filter_]),
        ("eth_getTransactionReceipt", [transaction]),
    ]


def test_honest_one_says_what_the_real_one_says(node: Anvil, between: ChainNode) -> None:
    for method, params in questions(node):
        assert asked(between.url, method, *params) == asked(node.url, method, *params)
    assert [call[0] for call in between.calls] == [method for method, _ in questions(node)]


@pytest.mark.parametrize("lie", sorted(LIES))
def test_each_lie_changes_an_answer_and_can_be_taken_back(node: Anvil, between: ChainNode, lie: str) -> None:
    control = f"{between.url}/_simulator"
    assert httpx.patch(control, json={"lies": [lie]}).json()["lies"] == [lie]
    told = [asked(between.url, method, *params) for method, params in questions(node)]
    httpx.patch(control, json={"lies": []})
    true = [asked(between.url, method, *params) for method, params in questions(node)]
    assert told != true
    assert true == [asked(node.url, method, *params) for method, params in questions(node)]


def test_limits_are_of_blocks_and_of_logs(node: Anvil, between: ChainNode) -> None:
    filter_ = {"address": node.broker, "fromBlock": "0x0", "toBlock": "0x2"}
    between.limits = Limits(blocks=2)
    assert "more than 10000 results" in asked(between.url, "eth_getLogs", filter_)["error"]["message"]
    assert asked(between.url, "eth_getLogs", {**filter_, "fromBlock": "0x1"})["result"] == node.logs()
    between.limits = Limits(logs=len(node.logs()) - 1)
    assert "error" in asked(between.url, "eth_getLogs", filter_)
    between.limits = Limits(logs=len(node.logs()))
    assert asked(between.url, "eth_getLogs", filter_)["result"] == node.logs()


def test_one_that_is_behind_knows_no_newer_block(node: Anvil, between: ChainNode) -> None:
    between.limits.behind = 2
    height = node.height
    assert asked(between.url, "eth_blockNumber")["result"] == hex(height - 2)
    assert asked(between.url, "eth_getBlockByNumber", hex(height - 1), False)["result"] is None
    assert asked(between.url, "eth_getBlockByNumber", "latest", False)["result"]["number"] == hex(height - 2)


def test_unknown_setting_is_refused(between: ChainNode) -> None:
    assert httpx.patch(f"{between.url}/_simulator", json={"mood": "bad"}).status_code == 400


def test_real_node_s_refusal_is_passed_on(node: Anvil, between: ChainNode) -> None:
    assert asked(between.url, "no_such_method") == asked(node.url, "no_such_method")
