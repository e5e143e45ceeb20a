"""Nodes that lie, lag, limit or contradict each other: an error, never a wrong report."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import ChainNode, Fault, Lie, Limits
from simulator.chain_lies import LIES
from spillway.domain.trail import Trail
from spillway.errors import BadSettings
from support.chain import Anvil, Won, anvil, orchestrator
from support.front_door import free_port
from support.reading import Reading, believed, reading_of, truth

ALONE: frozenset[Lie] = frozenset({"omits_all", "forked"})
"""What one node can say without contradicting itself."""


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        running.redeem(Won(), Won(orchestrator(2), amount=0))
        running.mine(3)
        running.redeem(Won(orchestrator(3), amount=5))
        yield running


async def holds(scan: Reading, node: Anvil) -> None:
    """Whatever the round came to, nothing of it is untrue."""
    told = await scan.told()
    assert set(told) <= set(truth(node))
    assert believed(await scan.announced()) == told


@pytest.mark.parametrize("lie", sorted(LIES - ALONE))
async def test_node_that_lies_is_found_out_alone(node: Anvil, tmp_path: Path, lie: Lie) -> None:
    liar = ChainNode(node.url, lie)
    async with liar.serve(), reading_of(node, tmp_path / "state.db", liar.url) as scan:
        report = await scan.reader.round()
        assert not report.whole
        await holds(scan, node)
        liar.lies.clear()
        await scan.round()
        assert await scan.told() == truth(node) == believed(await scan.announced())


@pytest.mark.parametrize("honest_first", [True, False])
@pytest.mark.parametrize("lie", sorted(LIES))
async def test_node_that_lies_beside_an_honest_one_changes_nothing(
    node: Anvil, tmp_path: Path, lie: Lie, honest_first: bool
) -> None:
    liar = ChainNode(node.url, lie)
    async with liar.serve():
        urls = (node.url, liar.url) if honest_first else (liar.url, node.url)
        async with reading_of(node, tmp_path / "state.db", *urls) as scan:
            report = await scan.reader.round()
            await holds(scan, node)
            assert not report.whole or await scan.told() == truth(node)


@pytest.mark.parametrize("lie", sorted(ALONE | {"invents"}))
async def test_nodes_that_disagree_are_an_alarm(
    node: Anvil, tmp_path: Path, lie: Lie, caplog: pytest.LogCaptureFixture
) -> None:
    liar = ChainNode(node.url, lie)
    async with liar.serve(), reading_of(node, tmp_path / "state.db", liar.url, node.url) as scan:
        with caplog.at_level(logging.ERROR, "spillway"):
            report = await scan.reader.round()
    assert (report.alarm, report.found) == (True, 0)
    assert [record.message for record in caplog.records] == report.problems
    assert "disagree on blocks" in report.problems[0]


async def test_lie_that_another_node_made_good_is_an_alarm_too(
    node: Anvil, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    liar = ChainNode(node.url, "sender")
    async with liar.serve(), reading_of(node, tmp_path / "state.db", liar.url, node.url) as scan:
        with caplog.at_level(logging.ERROR, "spillway"):
            await scan.round()
        assert await scan.told() == truth(node)
    assert liar.url.removeprefix("http://") in caplog.records[0].message


async def test_agreeing_nodes_are_witnesses(node: Anvil, tmp_path: Path) -> None:
    second = ChainNode(node.url)
    async with second.serve(), reading_of(node, tmp_path / "state.db", node.url, second.url) as scan:
        assert (await scan.round()).witnesses == 2
        assert await scan.told() == truth(node)


async def test_node_that_falls_silent_is_passed_over(node: Anvil, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with reading_of(node, tmp_path / "state.db", dead, node.url) as scan:
        assert (await scan.round()).witnesses == 1
        assert await scan.told() == truth(node)


FAULTS = [
    Fault("status", status=429, retry_after=0.2, times=2),
    Fault("status", status=503, times=2),
    Fault("status", status=403, times=1),
    Fault("close", times=2),
    Fault("reset", times=1),
    Fault("cut", times=1),
    Fault("hang", times=1),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_fault_that_passes_is_waited_out(node: Anvil, tmp_path: Path, fault: Fault) -> None:
    faulty = ChainNode(node.url, faults=[fault])
    async with (
        faulty.serve(),
        reading_of(node, tmp_path / "state.db", faulty.url, patience_s=5.0, try_s=1.0) as scan,
    ):
        await scan.round()
        assert await scan.told() == truth(node)


@pytest.mark.parametrize("kind", ["not_json", "empty", "clean_cut"])
async def test_broken_answer_is_an_error(node: Anvil, tmp_path: Path, kind: str) -> None:
    faulty = ChainNode(node.url, faults=[Fault(kind)])  # type: ignore[arg-type]
    async with faulty.serve(), reading_of(node, tmp_path / "state.db", faulty.url, try_s=1.0) as scan:
        assert not (await scan.reader.round()).whole
        assert await scan.stored() == []


async def test_node_that_limits_the_rate_of_calls_now_and_then_holds_up_no_range(tmp_path: Path) -> None:
    """One range here takes some fifty calls: they would hardly ever all succeed in a row."""
    with anvil() as busy:
        for _ in range(20):
            busy.redeem(Won())
        limited = ChainNode(busy.url, faults=[Fault("status", status=429, probability=0.3)])
        async with limited.serve(), reading_of(busy, tmp_path / "state.db", limited.url, patience_s=20.0) as scan:
            async with asyncio.timeout(100):
                await scan.round()
            assert await scan.told() == truth(busy)


async def test_rate_limit_without_end_is_left_to_the_next_round(node: Anvil, tmp_path: Path) -> None:
    limited = ChainNode(node.url, faults=[Fault("status", status=429)])
    async with limited.serve(), reading_of(node, tmp_path / "state.db", limited.url, patience_s=0.5) as scan:
        report = await scan.reader.round()
        assert "status 429" in report.problems[0]
        limited.faults.clear()
        await scan.round()
        assert await scan.told() == truth(node)


async def test_node_that_is_behind_never_hides_what_it_has_not_seen(node: Anvil, tmp_path: Path) -> None:
    late = ChainNode(node.url, limits=Limits(behind=1))
    async with late.serve():
        async with reading_of(node, tmp_path / "state.db", late.url) as scan:
            assert (await scan.round()).scanned_to == node.height - 1
        async with reading_of(node, tmp_path / "state.db", node.url, late.url) as scan:
            await scan.round()
            assert await scan.told() == truth(node)
        async with reading_of(node, tmp_path / "state.db", late.url) as scan:
            report = await scan.reader.round()
            assert "is behind" in report.problems[0]
            assert await scan.told() == truth(node)


async def test_reorganisation_that_one_node_invents_removes_nothing(node: Anvil, tmp_path: Path) -> None:
    async with reading_of(node, tmp_path / "state.db") as scan:
        await scan.round()
    liar = ChainNode(node.url, "forked", "omits_all")
    async with liar.serve(), reading_of(node, tmp_path / "state.db", liar.url, node.url) as scan:
        report = await scan.reader.round()
        assert "disagree" in report.problems[0]
        assert await scan.told() == truth(node)


async def test_log_that_is_left_out_of_a_block_that_is_still_there_is_not_removed(node: Anvil, tmp_path: Path) -> None:
    """Also where there is nobody else to ask: a range that is read again must hold what it held."""
    async with reading_of(node, tmp_path / "state.db") as scan:
        await scan.round()
        cursor = await scan.redemptions.cursor(scan.reader._what.name)
        assert cursor is not None
        await scan.redemptions.write(scan.reader._what.name, replace(cursor, trail=Trail(0)), [])
    liar = ChainNode(node.url, "omits_all")
    async with liar.serve(), reading_of(node, tmp_path / "state.db", liar.url) as scan:
        report = await scan.reader.round()
        assert "was left out" in report.problems[0]
        assert await scan.told() == truth(node)


@pytest.mark.parametrize("urls", [("wrong",), ("wrong", "right"), ("right", "wrong")])
async def test_another_chain_stops_everything(node: Anvil, tmp_path: Path, urls: Sequence[str]) -> None:
    wrong = ChainNode(node.url, chain_id=1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(wrong.serve())
        named = {"wrong": wrong.url, "right": node.url}
        scan = await stack.enter_async_context(reading_of(node, tmp_path / "state.db", *(named[url] for url in urls)))
        with pytest.raises(
            BadSettings, match=r"SPILLWAY_CHAIN_ID: 127\.0\.0\.1:\d+ is a node of chain 1, not of 31337"
        ):
            await scan.reader.round()
