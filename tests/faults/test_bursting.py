"""Rounds over clouds that are slow, limit calls, fail half-way and lie; functions that die between any two steps."""

import asyncio

import pytest

from simulator import ComputeEngineApi, Lies, TensorDockApi
from spillway.domain.budget import DAY_S
from spillway.domain.burst import Need
from support.burst import CLOUDS, FLEET, Rounds, balancing

REFUSED = Need(refused_per_s=0.5, since=7200.0, overflow_per_s=0.25, usd_per_job=0.003, service_s=4.0, free_slots=0.0)
FLOOD = Need(refused_per_s=9.0, since=DAY_S, overflow_per_s=5.0, usd_per_job=0.05, service_s=4.0, free_slots=0.0)
BUSY = Need(usd_per_job=0.003, service_s=4.0, free_slots=0.0)
LIES = {
    "runs early": Lies(runs_early=1.0),
    "runs after delete": Lies(runs_after_delete_s=900.0),
    "delete needs repeats": Lies(delete_repeats=2, delete_s=60.0),
    "stale listing": Lies(stale_list_s=150.0),
    "all at once": Lies(1.0, 600.0, 1, 100.0, 60.0),
}
pytestmark = pytest.mark.parametrize("kind", CLOUDS)


def held(there: Rounds) -> None:
    """The caps, on the cloud's own bill, and that the estimate was never below it."""
    cloud, terms = there.cloud, there.terms
    day = cloud.now() - cloud.now() % DAY_S
    assert cloud.most_at_once <= terms.machines
    assert max(cloud.usd(day), cloud.usd(day - DAY_S, day)) <= terms.usd_per_day + 1e-6


async def gone(there: Rounds, rounds: int = 45) -> None:
    """Without need, nothing is left."""
    await there.rounds(rounds, Need())
    assert there.cloud.paid_for() == []
    held(there)


async def test_a_machine_comes_serves_and_goes(kind: str) -> None:
    async with balancing(kind) as there:
        report = await there.round(REFUSED)
        assert [(step.order.verb, step.error) for step in report.steps] == [("start", "")]
        there.cloud.skip(360)
        report = await there.round(BUSY)
        assert report.addresses == [f"{there.cloud.machines[0].address}:8935"]
        assert [machine.ready for machine in report.machines[FLEET]] == [True]
        await there.rounds(30, BUSY)
        assert len(there.cloud.serving()) == 1
        await gone(there)
        verbs = [step.order.verb for report in there.reports for step in report.steps]
        assert [verb for n, verb in enumerate(verbs) if verbs[n - 1 : n] != [verb]] == [
            "start", "idle", "drain", "stop", "delete"
        ]  # fmt: skip


async def test_a_draining_machine_is_no_longer_in_the_pool(kind: str) -> None:
    async with balancing(kind) as there:
        await there.round(REFUSED)
        there.cloud.skip(7200)
        await there.rounds(12, Need())
        drained = [report for report in there.reports if any(step.order.verb == "drain" for step in report.steps)]
        assert drained
        assert all(report.addresses == [] for report in drained)


@pytest.mark.parametrize("name", LIES)
async def test_lies_pass_no_cap_and_orphan_nothing(kind: str, name: str) -> None:
    async with balancing(kind) as there:
        there.cloud.lies = LIES[name]
        await there.rounds(25, FLOOD)
        await there.rounds(10, BUSY)
        await there.rounds(15, FLOOD)
        held(there)
        assert there.cloud.machines
        await gone(there, 60)


@pytest.mark.parametrize("fault", ["error", "failed", "stuck", "cut"])
async def test_creations_that_fail_half_way(kind: str, fault: str) -> None:
    async with balancing(kind, try_s=0.1, call_s=0.15) as there:
        there.api.faults.add(fault, method="POST", probability=0.7)  # type: ignore[arg-type]
        await there.rounds(90, FLOOD)
        held(there)
        there.api.faults.clear()
        await gone(there)


async def test_a_machine_that_never_becomes_an_orchestrator_is_removed_and_the_next_waits(kind: str) -> None:
    async with balancing(kind) as there:
        there.cloud.boot_s = 1e9
        there.cloud.lies = Lies(runs_early=1.0)
        await there.rounds(60, REFUSED)
        assert len(there.cloud.machines) == 2
        assert "it never became an orchestrator" in {s.order.reason for r in there.reports for s in r.steps}
        await gone(there)


@pytest.mark.parametrize("after", range(8))
async def test_a_function_that_dies_at_any_call_orphans_nothing(kind: str, after: int) -> None:
    async with balancing(kind) as there:
        await there.rounds(3, REFUSED)
        await there.rounds(45, BUSY)
        for need in (FLOOD, Need(), FLOOD):
            await die_in_a_round(there, need, after)
            there.cloud.skip(60)
        await there.rounds(20, FLOOD)
        held(there)
        await gone(there)


async def die_in_a_round(there: Rounds, need: Need, after: int) -> None:
    """Cut a round off once the cloud has been called so often in it; what it had not kept is lost."""
    slow = there.api.faults.add("slow_first_byte", delay_s=0.02)
    before, kept = len(there.api.requests), there.kept
    task = asyncio.create_task(there.round(need))
    while not task.done() and len(there.api.requests) - before <= after:
        await asyncio.sleep(0.002)
    if task.cancel():
        await asyncio.gather(task, return_exceptions=True)
        # What is not written ahead is lost with the process.
        there.kept = there.kept if there.kept is not kept else kept
    there.api.faults.remove(slow)


@pytest.mark.parametrize("state", ["lost", "rubbish"])
async def test_a_lost_state_orphans_nothing(kind: str, state: str) -> None:
    async with balancing(kind) as there:
        await there.rounds(10, FLOOD)
        there.kept = {} if state == "lost" else {"machines": 7}
        await there.rounds(3, BUSY)
        assert len(there.cloud.paid_for()) == there.terms.machines
        await gone(there)


async def test_machines_of_a_route_that_is_gone_are_removed(kind: str) -> None:
    async with balancing(kind) as there:
        await there.rounds(10, FLOOD)
        for _ in range(15):
            await there.round(FLOOD, wanted=False)
            there.cloud.skip(60)
        assert there.cloud.paid_for() == []


async def test_without_a_listing_nothing_is_done(kind: str) -> None:
    async with balancing(kind, try_s=0.1, call_s=0.2) as there:
        there.api.faults.add("status", status=500)
        report = await there.round(FLOOD)
        assert report.steps == []
        assert len(report.problems) == 1
        assert there.cloud.machines == []


async def test_a_silent_gateway_costs_no_machine(kind: str) -> None:
    async with balancing(kind) as there:
        await there.round(REFUSED)
        there.cloud.skip(360)
        await there.round(BUSY)
        there.gateway.faults.add("status", status=500)
        there.cloud.skip(1500)
        report = await there.round(BUSY)
        assert [machine.ready for machine in report.machines[FLEET]] == [None]
        assert len(there.cloud.serving()) == 1


async def test_a_round_ends_in_its_time(kind: str) -> None:
    async with balancing(kind, within_s=0.5, try_s=5.0, call_s=10.0) as there:
        there.api.faults.add("hang")
        async with asyncio.timeout(1.5):
            report = await there.round(FLOOD)
        assert report.problems == ["the round was cut off after 0.5 s"]


async def test_a_store_that_refuses_starts_nothing(kind: str) -> None:
    async with balancing(kind) as there:

        async def keep(state: object) -> None:
            raise RuntimeError("somebody else has kept a state meanwhile")

        there.bursting._keep = keep
        with pytest.raises(RuntimeError):
            await there.round(FLOOD)
        assert there.cloud.machines == []


async def test_the_limit_of_calls_only_puts_things_off(kind: str) -> None:
    async with balancing(kind, try_s=0.1, call_s=0.2) as there:
        if isinstance(there.api, TensorDockApi):
            there.api.limit.calls = 2
        elif isinstance(there.api, ComputeEngineApi):
            there.api.faults.add("status", status=429, probability=0.3)
        await there.rounds(60, FLOOD)
        held(there)
        there.api.faults.clear()
        await gone(there, 60)


async def test_the_estimate_is_never_below_the_bill(kind: str) -> None:
    async with balancing(kind) as there:
        there.cloud.lies = Lies(delete_repeats=1, delete_s=120.0)
        for need in (FLOOD, BUSY, Need()):
            for _ in range(20):
                report = await there.round(need)
                day = there.cloud.now() - there.cloud.now() % DAY_S
                assert report.usd_today.get(FLEET, 0.0) >= there.cloud.usd(day) - 1e-3
                there.cloud.skip(60)


@pytest.mark.parametrize("wrong_s", [3600.0, 5 * DAY_S, -3600.0])
async def test_machines_that_a_wrong_clock_has_asked_for_are_on_the_bill(kind: str, wrong_s: float) -> None:
    async with balancing(kind) as there:
        there.bursting._epoch = lambda: there.cloud.now() + wrong_s
        await there.rounds(2, FLOOD)
        assert there.cloud.paid_for()
        there.bursting._epoch = there.cloud.now
        for _ in range(20):
            report = await there.round(FLOOD)
            day = there.cloud.now() - there.cloud.now() % DAY_S
            assert report.usd_today.get(FLEET, 0.0) >= there.cloud.usd(day) - 2e-3
            there.cloud.skip(60)
        await gone(there)
