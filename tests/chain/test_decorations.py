"""What is told beside a redemption, and that it never holds one up."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator import ChainNode
from spillway.adapters.chain_decorations import Contracts
from support.chain import ETH, Anvil, Won, anvil, orchestrator
from support.reading import reading_of, truth

NAMED, UNNAMED = orchestrator(1), orchestrator(2)


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture(scope="module")
def registries(node: Anvil) -> tuple[str, str]:
    """Two registries: the second names what the first doesn't."""
    first, second = node.deploy("Registry"), node.deploy("Registry")
    node.send("Registry", second, "setServiceURI", NAMED, "https://orch.example:8935")
    return first, second


def priced(node: Anvil, answer: int, age_s: int = 0) -> str:
    """A feed that says this price since so long."""
    feed = node.deploy("Registry")
    node.send("Registry", feed, "setAnswer", answer, int(time.time()) - age_s)
    return feed


async def told(node: Anvil, state: Path, contracts: Contracts, *tickets: Won, url: str = "", **more: Any) -> list[Any]:
    """The bodies of what these tickets became."""
    first = node.height + 1
    node.redeem(*tickets)
    async with reading_of(node, state, url or node.url, first=first, contracts=contracts, **more) as scan:
        assert (await scan.reader.round()).problems == []
        assert await scan.told() == truth(node, first)
        return [one.body() for one in await scan.stored()]


async def test_names_and_dollars_are_told(node: Anvil, tmp_path: Path, registries: tuple[str, str]) -> None:
    contracts = Contracts(registries, priced(node, 3_123_45000000))
    first, second = await told(node, tmp_path / "s.db", contracts, Won(NAMED, face=ETH // 50), Won(UNNAMED))
    assert (first["recipient_name"], second["recipient_name"]) == ("orch.example:8935", None)
    assert (first["eth_usd"], first["amount_usd"], second["amount_usd"]) == ("3123.45000000", "62.47", "3.12")
    assert (first["missing"], second["missing"]) == ([], ["recipient_name"])


@pytest.mark.parametrize(
    "uri",
    [
        "", "nonsense", "https://", "https://[broken", "javascript:alert(1)", "https://*evil*.example", "https://a b/",
        "https://" + "x" * 101, "https://<script>", "https://größe.example",
    ],
)  # fmt: skip
async def test_service_uri_that_is_no_host_s_is_no_name(node: Anvil, tmp_path: Path, uri: str) -> None:
    registry = node.deploy("Registry")
    node.send("Registry", registry, "setServiceURI", NAMED, uri)
    [one] = await told(node, tmp_path / "s.db", Contracts((registry,)), Won(NAMED))
    assert one["recipient_name"] is None


async def test_secrets_in_a_service_uri_are_not_told(node: Anvil, tmp_path: Path) -> None:
    registry = node.deploy("Registry")
    node.send("Registry", registry, "setServiceURI", NAMED, "https://user:secret@orch.example/path?key=1")
    [one] = await told(node, tmp_path / "s.db", Contracts((registry,)), Won(NAMED))
    assert one["recipient_name"] == "orch.example"


@pytest.mark.parametrize(("answer", "age_s"), [(0, 0), (-1, 0), (300000000000, 2 * 86_400)])
async def test_price_that_is_none_or_old_is_left_out(node: Anvil, tmp_path: Path, answer: int, age_s: int) -> None:
    [one] = await told(node, tmp_path / "s.db", Contracts(eth_usd_feed=priced(node, answer, age_s)), Won())
    assert (one["eth_usd"], one["amount_usd"]) == (None, None)
    assert "eth_usd" in one["missing"]


async def test_contracts_that_are_not_there_are_no_hindrance(node: Anvil, tmp_path: Path) -> None:
    nowhere = "0x" + "99" * 20
    [one] = await told(node, tmp_path / "s.db", Contracts((nowhere, node.broker), nowhere), Won())
    assert one["missing"] == ["recipient_name", "eth_usd"]


async def test_slow_decorations_are_left_out_in_time(node: Anvil, tmp_path: Path, registries: tuple[str, str]) -> None:
    slow = ChainNode(node.url, slow_s={"eth_call": 30.0})
    async with slow.serve():
        began = time.monotonic()
        contracts = Contracts(registries, registries[0])
        [one] = await told(node, tmp_path / "s.db", contracts, Won(NAMED), url=slow.url, within_s=0.3)
        assert time.monotonic() - began < 10
    assert one["missing"] == ["recipient_name", "eth_usd"]
    assert one["gas_paid_wei"] is not None
