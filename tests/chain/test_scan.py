"""Redemptions as they are read from a real EVM node."""

import asyncio
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import ChainNode, Limits
from spillway.adapters.firestore_outbox import FirestoreOutbox
from spillway.adapters.firestore_redemptions import FirestoreRedemptions
from spillway.domain.chain_answers import Block
from spillway.domain.tickets import CERTAIN
from spillway.ports.redemptions import MOST
from spillway.services.redemptions import Reader, reading
from support.chain import ETH, GATEWAY, Anvil, Won, anvil, orchestrator
from support.reading import Reading, believed, reading_of, short, truth

OTHER = "0x" + "11" * 20


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


async def test_redemption_is_told_as_it_is_on_the_chain(node: Anvil, tmp_path: Path) -> None:
    won = Won(orchestrator(7), face=ETH // 100, amount=ETH // 300, win_prob=CERTAIN // 500, round=3_621)
    transaction = node.redeem(won)
    receipt, block = node.receipt(transaction), node.rpc("eth_getBlockByNumber", "latest", False)
    async with reading_of(node, tmp_path / "state.db") as scan:
        report = await scan.round()
        [one] = await scan.stored()
    assert (report.found, report.witnesses, report.final) == (1, 1, node.height)
    assert (one.chain_id, one.tx_hash, one.log_index) == (31337, transaction, 2)
    assert (one.block_number, one.block_hash, one.timestamp) == (
        int(block["number"], 16), block["hash"], int(block["timestamp"], 16),
    )  # fmt: skip
    assert (one.sender, one.recipient, one.round) == (GATEWAY, orchestrator(7), 3_621)
    assert (one.amount_wei, one.face_value_wei, one.win_prob) == (ETH // 300, ETH // 100, CERTAIN // 500)
    cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert (one.status, one.decorations.gas_paid_wei) == ("final", cost)


async def test_batches_partial_amounts_and_others_in_between(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won(amount=0), Won(sender=OTHER, amount=9), Won(amount=0), Won(amount=3), Won(orchestrator(2)))
    node.redeem(Won(sender=OTHER))
    node.redeem(Won(), Won(), Won(amount=1))
    async with reading_of(node, tmp_path / "state.db") as scan:
        await scan.round()
        stored, entries = await scan.stored(), await scan.announced()
    assert [one.amount_wei for one in stored] == [0, 0, 3, ETH // 1000, ETH // 1000, ETH // 1000, 1]
    assert list(map(short, stored)) == truth(node) == believed(entries)


async def test_every_sender_asked_for_is_read(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won(), Won(sender=OTHER, amount=7), Won(sender="0x" + "22" * 20))
    async with reading_of(node, tmp_path / "state.db", senders=(GATEWAY, OTHER)) as scan:
        await scan.round()
        assert [one.sender for one in await scan.stored()] == [GATEWAY, OTHER]


async def test_transaction_s_gas_is_shared_by_all_its_redemptions(node: Anvil, tmp_path: Path) -> None:
    receipt = node.receipt(node.redeem(Won(), Won(sender=OTHER), Won()))
    async with reading_of(node, tmp_path / "state.db") as scan:
        await scan.round()
        parts = [one.decorations.gas_paid_wei for one in await scan.stored()]
    assert parts == [int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16) // 3] * 2


async def test_rounds_go_on_where_the_last_one_ended(node: Anvil, tmp_path: Path) -> None:
    chance = random.Random(6)
    found = 0
    for _ in range(6):
        for _ in range(chance.randrange(3)):
            node.redeem(*[Won(orchestrator(chance.randrange(9)))] * chance.randrange(4))
        node.mine(chance.randrange(1, 5))
        async with reading_of(node, tmp_path / "state.db") as scan:
            found += (await scan.round()).found
            assert (await scan.round()).found == 0
            assert await scan.told() == truth(node) == believed(await scan.announced())
    assert found == len(truth(node)) > 0


async def test_what_is_not_final_waits(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won())
    async with reading_of(node, tmp_path / "state.db", confirmations=3) as scan:
        node.mine(2)
        assert (await scan.round()).found == 0
        node.mine(1)
        assert (await scan.round()).found == 1


async def test_chain_s_own_word_decides_what_is_final(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won())
    finalized = int(node.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
    assert finalized < node.height
    async with reading_of(node, tmp_path / "state.db", confirmations=None) as scan:
        assert ((await scan.round()).scanned_to, await scan.stored()) == (finalized, [])
        node.mine(2)
        assert (await scan.round()).found == 1


async def test_scan_begins_at_the_block_asked_for(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won())
    first = node.height + 1
    node.redeem(Won(amount=5))
    async with reading_of(node, tmp_path / "state.db", first=first) as scan:
        await scan.round()
        assert await scan.told() == truth(node, first)


async def test_block_in_the_future_is_waited_for(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db", first=node.height + 5) as scan:
        assert (await scan.round()).scanned_to == node.height + 4
        node.mine(9)
        assert (await scan.round()).scanned_to == node.height


async def test_ten_thousand_redemptions_are_each_told_once(node: Anvil, tmp_path: Path) -> None:
    for number in range(20):
        node.redeem_many(500, Won(orchestrator(number)))
    async with reading_of(node, tmp_path / "state.db") as scan:
        assert (await scan.round()).found == 10_000
        assert await scan.told() == truth(node)
        assert believed(await scan.announced()) == truth(node)


@pytest.mark.parametrize("style", range(5))
async def test_range_is_halved_until_the_node_gives_it(node: Anvil, tmp_path: Path, style: int) -> None:
    for _ in range(8):
        node.redeem(Won())
        node.mine(10)
    lying = ChainNode(node.url, limits=Limits(blocks=7, style=style))
    async with lying.serve(), reading_of(node, tmp_path / "state.db", lying.url) as scan:
        await scan.round()
        assert await scan.told() == truth(node)
    asked = [call for call in lying.calls if call[0] == "eth_getLogs"]
    assert len(asked) < 40


async def test_range_grows_back_when_the_limit_is_gone(node: Anvil, tmp_path: Path) -> None:
    node.mine(300)
    lying = ChainNode(node.url, limits=Limits(blocks=2))
    async with lying.serve(), reading_of(node, tmp_path / "state.db", lying.url) as scan:
        await scan.round(last=50)
        lying.limits.blocks = None
        lying.calls.clear()
        await scan.round()
    assert len([call for call in lying.calls if call[0] == "eth_getLogs"]) < 25


async def test_one_block_that_is_too_much_is_said(node: Anvil, tmp_path: Path) -> None:
    node.redeem(*[Won()] * 6)
    lying = ChainNode(node.url, limits=Limits(logs=11))
    async with lying.serve(), reading_of(node, tmp_path / "state.db", lying.url) as scan:
        report = await scan.reader.round()
        assert "more than 10000 results" in report.problems[0]
        lying.limits.logs = 12
        assert (await scan.round()).found == 6


async def test_long_silence_halves_the_range(node: Anvil, tmp_path: Path) -> None:
    node.mine(40)
    node.redeem(Won())
    lying = ChainNode(node.url, limits=Limits(hangs=16))
    async with lying.serve(), reading_of(node, tmp_path / "state.db", lying.url, try_s=0.5) as scan:
        assert (await scan.round()).found == 1


async def test_round_that_has_no_more_time_leaves_the_rest(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won())
    async with reading_of(node, tmp_path / "state.db") as scan:
        report = await scan.reader.round(within_s=-1)
        assert report.problems == [f"blocks 0 to {node.height} are left for the next round"]
        assert (await scan.round()).found == 1


async def test_block_is_read_by_its_number(node: Anvil, tmp_path: Path) -> None:
    header = node.rpc("eth_getBlockByNumber", "0x1", False)
    async with reading_of(node, tmp_path / "state.db") as scan:
        assert await scan.chain.block(1) == Block(1, header["hash"], int(header["timestamp"], 16))


async def test_scans_that_overlap_share_the_work(node: Anvil, tmp_path: Path) -> None:
    for _ in range(12):
        node.redeem(Won(), Won())
    lying = ChainNode(node.url, limits=Limits(blocks=2))
    state = tmp_path / "state.db"
    async with lying.serve(), reading_of(node, state, lying.url) as one, reading_of(node, state, lying.url) as other:
        reports = await asyncio.gather(one.round(), other.round())
        assert sum(report.found for report in reports) == len(truth(node))
        assert await one.told() == truth(node) == believed(await one.announced())


async def test_firestore_keeps_what_is_read(
    node: Anvil, tmp_path: Path, firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one transaction's worth, a reorganisation among it."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    project = f"test-{uuid.uuid4().hex[:12]}"
    async with reading_of(node, tmp_path / "unused.db") as local:
        kept = FirestoreRedemptions(project, timeout_s=20.0), FirestoreOutbox(project, timeout_s=20.0)
        reader = Reader(local.chain, kept[0], reading("scan", 31337, node.broker, [GATEWAY], 0))
        scan = Reading(local.chain, *kept, reader)
        node.redeem_many(MOST + 10)
        await scan.round()
        node.redeem(Won(amount=3))
        await scan.round()
        node.reorganise(1, [(node.redemption(Won(amount=4)), 0)])
        assert (await scan.round()).corrected == 1
        assert await scan.told() == truth(node) == believed(await scan.announced())
        for store in kept:
            await store.close()
