"""Slow tries, callers who leave, money that is spent: what the policy's driver keeps count of comes out even."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from faults.house import HOSTED_PICTURES, PICTURES, QUICK, House, Reply, assert_clear_error, house
from simulator import Fault, OpenAiApi, ReplicateApi, Service, SubnetGateway
from spillway.adapters.sqlite_store import SqliteStore
from spillway.assembly import inside
from spillway.domain.budget import DAY_S
from spillway.services.exchange import OVERRIDES
from spillway.services.gate import Gate
from spillway.services.gates import Gates
from support.waiting import eventually

CALLER = PICTURES[0]
LONG_S = 30.0
LEARNED_FROM = 10
ONE_HOSTED = """
[providers.hosted]
kind = "openai"
base_url = "{hosted}/v1"
[[routes]]
pipeline = "text-to-image"
deadline = {deadline}
subnet_timeout = {subnet_timeout}
[[routes.fallbacks]]
provider = "hosted"
model = "dall-e-3"
usd_per_job = 0.04
"""
ONLY_REPLICATE = """
[[routes]]
pipeline = "text-to-image"
deadline = {deadline}
subnet_timeout = {subnet_timeout}
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
usd_per_job = 0.003
input = {{ prompt = "{{prompt}}", num_outputs = "{{num_images}}" }}
"""


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch) -> list[Gates]:
    """The gates of every front door that is put together during the test."""
    made: list[Gates] = []

    def keep(*args: Any) -> Gates:
        made.append(Gates(*args))
        return made[-1]

    monkeypatch.setattr(inside, "Gates", keep)
    return made


@asynccontextmanager
async def patient_house(tmp_path: Path, **options: Any) -> AsyncIterator[House]:
    """One hosted provider, nothing remembered from before, and time enough to be hedged."""
    options = {"routes": ONE_HOSTED, "deadline": 60.0, "subnet_timeout": LONG_S, "state": "memory://", **options}
    async with house(tmp_path, **options) as there:
        yield there


async def quick_jobs(there: House) -> None:
    """Let the policy learn that jobs are quick, so that a slow one is soon known to be slow."""
    replies = await asyncio.gather(*(CALLER.ask(there, x_spillway_prefer="subnet") for _ in range(LEARNED_FROM)))
    assert {reply.served_by for reply in replies} == {"subnet"}


async def policy(there: House) -> dict[str, Any]:
    """The state of the one route in use."""
    [state] = (await there.client.get(f"{there.url}/api/policy")).json()["routes"].values()
    return state


async def all_over(there: House) -> None:
    """Wait until the front door, too, has heard the end of every try: the subnet knows of it a little sooner."""
    async with asyncio.timeout(5.0):
        while (await policy(there))["open"]:
            await asyncio.sleep(0.02)


def slow(seconds: float, **options: Any) -> Fault:
    """A try that is answered, but late."""
    return Fault("slow_first_byte", delay_s=seconds, **options)


# Hedging.


async def test_try_that_hangs_is_hedged_and_hosted_inference_answers(tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        await quick_jobs(there)
        there.subnet.faults.add("hang", times=1)
        reply = await CALLER.ask(there)
        assert (reply.status, reply.served_by) == (200, "hosted")
        assert 1.0 < reply.seconds < LONG_S / 2
        assert there.hosted.counters.tries == 1


async def test_beaten_try_is_counted_until_its_connection_ends(tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        await quick_jobs(there)
        there.subnet.faults.add(slow(2.0, times=1))
        reply = await CALLER.ask(there)
        assert reply.served_by == "hosted"
        assert (there.subnet.counters.open, (await policy(there))["open"]) == (1, 1)
        await eventually(lambda: there.subnet.counters.open == 0)
        assert there.subnet.counters.served == LEARNED_FROM + 1, "it was not cut off: it is paid for"
        await all_over(there)


async def test_beaten_try_that_never_ends_is_given_up_in_its_own_time(tmp_path: Path) -> None:
    async with patient_house(tmp_path, subnet_timeout=2.0) as there:
        await quick_jobs(there)
        there.subnet.faults.add(slow(LONG_S, times=1))
        began = time.monotonic()
        assert (await CALLER.ask(there)).served_by == "hosted"
        await eventually(lambda: there.subnet.counters.open == 0)
        assert 1.9 < time.monotonic() - began < 3.5
        await all_over(there)


async def test_subnet_that_is_first_after_all_cancels_the_hosted_job(tmp_path: Path) -> None:
    replicate = ReplicateApi("r8_test", service_s=60.0)
    async with patient_house(tmp_path, replicate=replicate, routes=ONLY_REPLICATE) as there:
        await quick_jobs(there)
        there.subnet.faults.add(slow(1.6, times=1))
        reply = await CALLER.ask(there)
        assert reply.served_by == "subnet"
        assert replicate.created.total() == 1
        await eventually(lambda: replicate.ended == {"canceled": 1}, within_s=8.0)


async def test_hedge_that_fails_leaves_the_answer_to_the_subnet(tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        await quick_jobs(there)
        there.subnet.faults.add(slow(1.6, times=1))
        there.hosted.faults.add("status", status=500)
        reply = await CALLER.ask(there)
        assert (reply.status, reply.served_by) == (200, "subnet")
        assert (await policy(there))["open"] == 0


async def test_caller_who_wants_the_subnet_only_is_not_hedged(tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        await quick_jobs(there)
        there.subnet.faults.add(slow(1.5, times=1))
        reply = await CALLER.ask(there, x_spillway_prefer="subnet-only")
        assert reply.served_by == "subnet"
        assert there.hosted.counters.tries == 0


# Callers who leave.


async def leave(asking: "asyncio.Task[Reply]") -> None:
    """Close the caller's connection."""
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


def working() -> list["asyncio.Task[Any]"]:
    """All tasks but those of the simulated servers' idle connections, and of the jobs' worker, which comes up late."""
    others = ("RequestHandler.start", "Reserve.work", "LocalQueue.run")
    return [task for task in asyncio.all_tasks() if not any(name in str(task.get_coro()) for name in others)]


async def assert_nothing_is_left(there: House, gates: list[Gates], tasks: int) -> None:
    """No open try, nobody in the queue, no task; only jobs that run on for nobody are taken into account."""
    [[gate]] = gates
    await eventually(lambda: not gate.policy.tries.connected and not gate.policy.waiting and not gate._waiting)
    await eventually(lambda: there.subnet.counters.open == there.hosted.counters.open == 0)
    await eventually(lambda: len(working()) <= tasks)
    gate.policy.tick(time.monotonic() + LONG_S)
    assert gate.policy.open == 0


async def test_caller_who_leaves_a_try_leaves_nothing_behind(tmp_path: Path, gates: list[Gates]) -> None:
    async with patient_house(tmp_path) as there:
        await quick_jobs(there)
        tasks = len(working())
        there.subnet.faults.add(slow(LONG_S))
        asking = asyncio.create_task(CALLER.ask(there))
        await asyncio.sleep(0.5)
        assert there.subnet.counters.open == 1
        await leave(asking)
        await assert_nothing_is_left(there, gates, tasks)
        assert there.hosted.counters.tries == 0


async def test_caller_who_leaves_a_hedged_try_leaves_nothing_behind(tmp_path: Path, gates: list[Gates]) -> None:
    async with patient_house(tmp_path, hosted=OpenAiApi(service_s=LONG_S)) as there:
        await quick_jobs(there)
        tasks = len(working())
        there.subnet.faults.add(slow(LONG_S))
        asking = asyncio.create_task(CALLER.ask(there))
        await eventually(lambda: there.hosted.counters.open == 1)
        assert there.subnet.counters.open == 1
        await leave(asking)
        await assert_nothing_is_left(there, gates, tasks)


async def until_one_waits(there: House, gates: list[Gates]) -> tuple[Gate, list["asyncio.Task[Reply]"]]:
    """Ask until somebody waits for a slot: the last one who came."""
    asking: list[asyncio.Task[Reply]] = []

    def decided_on() -> int:
        return sum(gate.journal.reasons.total() + gate.policy.waiting for gate in gates[0])

    while not any(gate.policy.waiting for gate in gates[0]):
        assert len(asking) < 30
        asking.append(asyncio.create_task(CALLER.ask(there)))
        await eventually(lambda: decided_on() == len(asking))
        await asyncio.sleep(0.05)
    [[gate]] = gates
    return gate, asking


def crowded(job_s: float) -> SubnetGateway:
    """Four slots, soon taken."""
    return SubnetGateway(slots=4, service={**QUICK, CALLER.pipeline: Service(job_s)}, refusal_s=0.5)


async def test_caller_who_leaves_while_waiting_leaves_nothing_behind(tmp_path: Path, gates: list[Gates]) -> None:
    async with patient_house(tmp_path, subnet=crowded(6.0)) as there:
        tasks = len(working())
        gate, asking = await until_one_waits(there, gates)
        tries = there.subnet.counters.tries
        await asyncio.sleep(0.3)
        await leave(asking.pop())
        await eventually(lambda: not gate.policy.waiting and not gate._waiting, within_s=1.0)
        assert gate.journal.reasons.total() == len(asking), "nothing was decided for the one who left"
        assert there.subnet.counters.tries == tries
        for one in asking:
            await leave(one)
        await assert_nothing_is_left(there, gates, tasks)


async def test_slot_that_comes_free_goes_to_the_one_who_waits(tmp_path: Path, gates: list[Gates]) -> None:
    async with patient_house(tmp_path, subnet=crowded(1.5)) as there:
        gate, asking = await until_one_waits(there, gates)
        replies = await asyncio.gather(*asking)
        assert replies[-1].served_by == "subnet"
        assert gate.journal.reasons["waited"] >= 1
        assert {reply.status for reply in replies} == {200}


# The last resort, and the day's money.


async def test_subnet_at_rest_is_the_last_resort_when_hosted_inference_fails(tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        await quick_jobs(there)
        there.subnet.faults.add("status", status=503, retry_after=LONG_S, times=1)
        assert (await CALLER.ask(there)).served_by == "hosted"
        there.hosted.faults.add("status", status=503)
        reply = await CALLER.ask(there)
        assert (reply.status, reply.served_by) == (200, "subnet")
        assert (await policy(there))["reasons"]["resting"] == 1


async def test_spent_money_and_a_full_subnet_are_a_429_with_retry_after(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=0, service=QUICK, refusal_s=0.05)
    async with patient_house(tmp_path, subnet=subnet, fallback_usd_per_day=0.05) as there:
        assert (await CALLER.ask(there)).served_by == "hosted"
        for caller in PICTURES:
            reply = await caller.ask(there)
            assert_clear_error(caller, reply, 429)
            assert 1 <= int(reply.headers["retry-after"]) <= 60, "the subnet is looked at again long before midnight"
            assert "money" in reply.message
        assert there.hosted.by[HOSTED_PICTURES].tries == 1


async def test_who_may_not_go_to_the_subnet_has_to_wait_for_the_next_days_money(tmp_path: Path) -> None:
    async with patient_house(tmp_path, fallback_usd_per_day=0.05) as there:
        assert (await CALLER.ask(there, x_spillway_prefer="fallback-only")).served_by == "hosted"
        reply = await CALLER.ask(there, x_spillway_prefer="fallback-only")
        until_midnight_s = DAY_S - time.time() % DAY_S
        assert (reply.status, abs(int(reply.headers["retry-after"]) - until_midnight_s) < 60) == (429, True)


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [(Fault("status", status=503, times=2), [503, 503, 200]), (Fault("close", times=2), [503, 429])],
    ids=["turned away", "unanswered"],
)
async def test_what_a_provider_may_have_made_is_taken_to_be_paid_for(
    tmp_path: Path, fault: Fault, statuses: list[int]
) -> None:
    """The day's money is enough for one picture."""
    async with patient_house(tmp_path, fallback_usd_per_day=0.05) as there:
        there.hosted.faults.add(fault)
        replies = [await CALLER.ask(there, x_spillway_prefer="fallback-only") for _ in statuses]
        assert [reply.status for reply in replies] == statuses


async def test_spent_money_does_not_send_everybody_to_a_full_subnet(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=0, service=QUICK, refusal_s=0.05)
    async with patient_house(tmp_path, subnet=subnet, fallback_usd_per_day=0.05) as there:
        statuses = [(await CALLER.ask(there)).status for _ in range(40)]
        assert Counter(statuses) == {200: 1, 429: 39}
        assert there.subnet.counters.tries <= 12, "what was saved up, and probes"


async def test_spent_money_does_not_keep_the_subnet_from_answering(tmp_path: Path) -> None:
    async with patient_house(tmp_path, fallback_usd_per_day=0.05) as there:
        assert (await CALLER.ask(there, x_spillway_prefer="fallback")).served_by == "hosted"
        replies = [await CALLER.ask(there, x_spillway_prefer=wish) for wish in ("auto", "subnet", "fallback")]
        assert [reply.served_by for reply in replies] == ["subnet"] * 3


# An operator's order, and a caller's own wish.


async def test_order_that_rules_the_subnet_out_names_itself(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    await SqliteStore(state).write(OVERRIDES, "text-to-image", {"mode": "fallback-only", "max_share": 1.0})
    async with patient_house(tmp_path, state=f"sqlite:///{state}") as there:
        reply = await CALLER.ask(there)
        assert reply.served_by == "hosted"
        assert 'policy;desc="capped"' in reply.headers["server-timing"]
        assert (await policy(there))["reasons"] == {"capped": 1}


@pytest.mark.parametrize("wish", ["subnet", "subnet-only"])
async def test_wish_of_a_caller_widens_no_share_that_an_operator_has_bounded(wish: str, tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    await SqliteStore(state).write(OVERRIDES, "text-to-image", {"mode": "auto", "max_share": 0.5})
    async with patient_house(tmp_path, state=f"sqlite:///{state}") as there:
        replies = [await CALLER.ask(there, x_spillway_prefer=wish) for _ in range(60)]
        served_by = Counter(reply.served_by for reply in replies)
        assert served_by["subnet"] == pytest.approx(30, abs=18)
        assert (await policy(there))["reasons"] == {"asked": served_by["subnet"], "capped": served_by["hosted"]}


async def test_without_a_share_the_subnet_is_no_last_resort_either(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    await SqliteStore(state).write(OVERRIDES, "text-to-image", {"mode": "auto", "max_share": 0.0})
    async with patient_house(tmp_path, state=f"sqlite:///{state}") as there:
        there.hosted.faults.add("status", status=503)
        assert (await CALLER.ask(there)).status == 503
        assert there.subnet.counters.tries == 0


async def test_wish_of_a_caller_names_itself(tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        reply = await CALLER.ask(there, x_spillway_prefer="subnet")
        assert 'policy;desc="asked"' in reply.headers["server-timing"]


@pytest.mark.parametrize(
    ("wish", "free", "full"),
    [
        ("subnet", "subnet", "hosted"),
        ("fallback", "hosted", "hosted"),
        ("subnet-only", "subnet", ""),
        ("fallback-only", "hosted", "hosted"),
    ],
)
async def test_wish_of_a_caller_comes_before_the_policy(wish: str, free: str, full: str, tmp_path: Path) -> None:
    async with patient_house(tmp_path) as there:
        replies = [await CALLER.ask(there, x_spillway_prefer=wish) for _ in range(3)]
        assert {reply.served_by for reply in replies} == {free}
        there.subnet.slots = 0
        reply = await CALLER.ask(there, x_spillway_prefer=wish)
        assert (reply.served_by, reply.status) == (full, 200 if full else 503)
        if "fallback" not in wish:
            state = await policy(there)
            assert (state["open"], state["reasons"]) == (0, {"asked": 4})
        assert bool(there.subnet.counters.tries) == ("fallback" not in wish)
