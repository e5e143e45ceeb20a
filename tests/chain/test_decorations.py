"""What is told beside a redemption, and that it never holds one up."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ens.constants import UNIVERSAL_RESOLVER_ADDR
from eth_abi import encode

from simulator import ChainNode
from spillway.adapters.chain_decorations import Contracts
from spillway.adapters.ens_names import UNIVERSAL_RESOLVER, EnsNames, _hashed
from spillway.adapters.json_rpc import Node
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


@pytest.fixture(scope="module")
def ens(node: Anvil) -> str:
    """A universal resolver at ENS's own address; gives the node's URL."""
    made = node.deploy("Resolver")
    node.rpc("anvil_setCode", UNIVERSAL_RESOLVER_ADDR, node.rpc("eth_getCode", made, "latest"))
    return node.url


def named(node: Anvil, address: str, name: str, leads_to: str) -> None:
    """What reverse and forward resolution of these say."""
    for asked, answer in (
        (f"{address[2:].lower()}.addr.reverse", encode(["string"], [name])),
        (name, encode(["address"], [leads_to])),
    ):
        encoded = b"".join(bytes([len(label)]) + label.encode() for label in asked.split(".")) + b"\x00"
        node.send("Resolver", UNIVERSAL_RESOLVER_ADDR, "set", encoded, answer)


def test_resolver_and_hashes_are_the_ecosystem_s() -> None:
    assert UNIVERSAL_RESOLVER == UNIVERSAL_RESOLVER_ADDR
    assert _hashed("foo.eth").hex() == "de9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f"


async def test_ens_name_is_told_before_the_service_uri(
    node: Anvil, tmp_path: Path, registries: tuple[str, str], ens: str
) -> None:
    named(node, NAMED, "orch.livepeer.eth", NAMED)
    tickets = Won(NAMED), Won(UNNAMED)
    first, second = await told(node, tmp_path / "s.db", Contracts(registries), *tickets, ens=EnsNames(Node(ens)))
    assert (first["recipient_name"], second["recipient_name"]) == ("orch.livepeer.eth", None)


@pytest.mark.parametrize(
    ("name", "leads_to"),
    [
        ("victim.eth", UNNAMED),
        ("VICTIM.eth", NAMED),
        ("v\u0456ctim.eth", NAMED),
        ("eth", NAMED),
        ("", NAMED),
        (".", NAMED),
    ],
)
async def test_ens_name_that_leads_elsewhere_or_is_not_plain_is_nobody_s(
    node: Anvil, tmp_path: Path, registries: tuple[str, str], ens: str, name: str, leads_to: str
) -> None:
    named(node, NAMED, name, leads_to)
    [one] = await told(node, tmp_path / "s.db", Contracts(registries), Won(NAMED), ens=EnsNames(Node(ens)))
    assert one["recipient_name"] == "orch.example:8935"


@pytest.mark.parametrize("kind", ["nobody", "no ENS", "hangs"])
async def test_ens_that_can_not_be_asked_is_no_hindrance(
    node: Anvil, tmp_path: Path, registries: tuple[str, str], kind: str
) -> None:
    with anvil(chain_id=1) as other:
        hanging = ChainNode(other.url, slow_s={"eth_call": 30.0})
        async with hanging.serve():
            url = {"nobody": "http://127.0.0.1:9", "no ENS": other.url, "hangs": hanging.url}[kind]
            names = EnsNames(Node(url), try_s=0.5)
            [one] = await told(node, tmp_path / "s.db", Contracts(registries), Won(NAMED), ens=names)
    assert one["recipient_name"] == "orch.example:8935"
