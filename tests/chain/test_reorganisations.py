"""Reorganisations below the depth that was taken for final: noticed, corrected, and the corrections announced."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spillway.ports.outbox import CORRECTION
from support.chain import Anvil, Won, anvil, orchestrator
from support.reading import believed, reading_of, truth


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.mark.parametrize("depth", range(1, 21))
async def test_reorganisation_of_any_depth_is_corrected(node: Anvil, tmp_path: Path, depth: int) -> None:
    """Some transactions are gone, some are elsewhere, some are new; the scan has passed here several times."""
    async with reading_of(node, tmp_path / "state.db") as scan:
        for number in range(23):
            node.redeem(Won(orchestrator(number), amount=number), Won(orchestrator(number)))
            if number % 4 == 0:
                await scan.round()
        await scan.round()
        again = [node.redemption(Won(orchestrator(number))) for number in (30, 31)]
        node.reorganise(depth, [(again[0], depth // 2), (again[1], depth - 1)])
        report = await scan.round()
        assert report.reorganised_from is not None
        assert report.reorganised_from <= node.height - depth + 1
        assert await scan.told() == truth(node) == believed(await scan.announced())
        assert (await scan.round()).reorganised_from is None


async def test_redemption_that_is_gone_is_announced_as_removed(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db") as scan:
        node.redeem(Won(amount=7))
        await scan.round()
        node.reorganise(1)
        report = await scan.round()
        [first, second] = await scan.announced()
        [kept] = await scan.stored(removed=True)
        assert (await scan.stored(), report.corrected) == ([], 1)
    assert (second.kind, second.body["status"], second.body["before"]) == (CORRECTION, "removed", first.body)
    assert second.id == f"{first.id}-r1"
    assert (kept.status, kept.revision) == ("removed", 1)


async def test_redemption_in_another_block_is_announced_as_corrected(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db") as scan:
        node.mine(2)
        sent = node.redeem(Won(amount=7))
        before = node.height
        await scan.round()
        raw = node.rpc("eth_getRawTransactionByHash", sent)
        node.mine(1)
        node.reorganise(2, [(raw, 1)])
        assert (await scan.round()).corrected == 1
        [first, second] = await scan.announced()
        [one] = await scan.stored()
        assert await scan.told() == truth(node) == believed([first, second])
    assert (one.tx_hash, one.status, one.block_number) == (sent, "corrected", before + 1)
    assert second.body["before"] == first.body


async def test_block_that_tells_the_same_under_another_hash_is_nothing_to_announce(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db") as scan:
        sent = node.redeem(Won())
        await scan.round()
        [before] = await scan.stored()
        raw = node.rpc("eth_getRawTransactionByHash", sent)
        node.reorganise(1, [(raw, 0)])
        await scan.round()
        [after] = await scan.stored()
        same_time = after.timestamp == before.timestamp
        assert after.block_hash != before.block_hash
        assert len(await scan.announced()) == (1 if same_time else 2)
        node.mine(1)
        assert (await scan.round()).reorganised_from is None


async def test_chain_that_comes_back_brings_its_redemption_back(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db") as scan:
        sent = node.redeem(Won(amount=3))
        raw = node.rpc("eth_getRawTransactionByHash", sent)
        await scan.round()
        node.reorganise(1)
        await scan.round()
        assert await scan.stored() == []
        node.reorganise(1, [(raw, 0)])
        await scan.round()
        [one] = await scan.stored()
        entries = await scan.announced()
        assert await scan.told() == truth(node) == believed(entries)
    assert (one.status, one.revision) == ("corrected", 2)
    assert [entry.id.removeprefix(one.key) for entry in entries] == ["", "-r1", "-r2"]


async def test_chain_that_is_too_short_is_waited_for(node: Anvil, tmp_path: Path) -> None:
    """A node that lost blocks is behind; that it never had them can't be told yet."""
    async with reading_of(node, tmp_path / "state.db") as scan:
        node.redeem(Won())
        node.mine(5)
        await scan.round()
        node.rpc("anvil_rollback", 6)
        report = await scan.reader.round()
        assert "is behind" in report.problems[0]
        node.mine(7)
        await scan.round()
        assert await scan.stored() == []


async def test_chain_that_is_shorter_and_another_is_corrected_as_far_as_it_goes(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db") as scan:
        for number in range(6):
            node.redeem(Won(orchestrator(number)))
            await scan.round()
        node.rpc("anvil_rollback", 5)
        for number in range(3):
            node.redeem(Won(orchestrator(10 + number)))
        report = await scan.round()
        assert (report.found, report.scanned_to) == (3, node.height)
        node.mine(3)
        await scan.round()
        assert await scan.told() == truth(node) == believed(await scan.announced())


async def test_more_confirmations_than_before_are_waited_for(node: Anvil, tmp_path: Path) -> None:
    node.redeem(Won())
    async with reading_of(node, tmp_path / "state.db") as scan:
        await scan.round()
    async with reading_of(node, tmp_path / "state.db", confirmations=2) as scan:
        assert (await scan.round()).scanned_to == node.height
        assert await scan.told() == truth(node)
