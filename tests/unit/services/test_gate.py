"""A gate's callers wait, leave and are decided on, in any order, and no place is lost."""

import asyncio
import time
from random import Random

import pytest

from spillway.domain.controller import Ended
from spillway.domain.outcomes import how_it_ended
from spillway.domain.overrides import Override
from spillway.domain.pace import JobPace
from spillway.domain.policy import SubnetPolicy
from spillway.domain.prospects import slot_in_s
from spillway.domain.routes import Fallback, Provider, Route, Routes
from spillway.domain.waste import Prices
from spillway.errors import BackendFailed, NoCapacity, RequestRejected, TooSlow, Unreachable
from spillway.services.gate import LONGEST_REST_S, Entry, Gate
from spillway.services.gates import MODELS_PER_ROUTE, Gates

SUBNET = ("subnet", "waited")


class Clock:
    """Seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def gate_of(slots: int, *, job_s: float = 4.0, clock: Clock | None = None) -> Gate:
    """A gate that is sure of so many slots, and lets requests wait."""
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    policy.estimate.slots.lean([*([0.0] * slots), 1.0], 1.0)
    policy.estimate.jobs = JobPace(job_s, 1.5 * job_s)
    policy.waste.tokens, policy.line.pressure = 0.0, 1.0
    return Gate("text-to-image any", policy, clock or time.monotonic, Random(1))


async def full(gate: Gate, slots: int) -> list[Entry]:
    """Tries in all of its slots."""
    return [await gate.enter(1.0) for _ in range(slots)]


async def waiting(gate: Gate, count: int, within_s: float = 10.0) -> "list[asyncio.Task[Entry]]":
    """Callers that wait for a slot."""
    tasks = [asyncio.create_task(gate.enter(within_s)) for _ in range(count)]
    await asyncio.sleep(0)
    assert gate.policy.waiting == count
    return tasks


def went(entry: Entry) -> tuple[str, str]:
    """Where, and why."""
    return entry.go, entry.reason


async def test_a_freed_slot_goes_to_whoever_waits_longest() -> None:
    gate = gate_of(2)
    tries = await full(gate, 2)
    first, second = await waiting(gate, 2)
    gate.ended(tries[0].key, Ended.SERVED)
    assert went(await first) == SUBNET
    assert not second.done()
    gate.ended(tries[1].key, Ended.SERVED)
    assert went(await second) == SUBNET
    assert gate.journal.reasons == {"room": 2, "waited": 2}


async def test_nobody_waits_past_his_own_time() -> None:
    gate = gate_of(2)
    await full(gate, 2)
    began = time.monotonic()
    assert went(await gate.enter(0.05)) == ("fallback", "overtime")
    assert time.monotonic() - began < 0.5
    assert gate.policy.waiting == 0


@pytest.mark.parametrize("within_s", [0.0, -1.0])
async def test_who_has_no_time_does_not_wait(within_s: float) -> None:
    gate = gate_of(2)
    await full(gate, 2)
    assert went(await gate.enter(within_s)) == ("fallback", "overtime")
    assert gate.policy.waiting == 0


async def test_the_alarm_ends_a_wait_when_nothing_else_happens() -> None:
    gate = gate_of(2, job_s=0.05)
    gate.policy.estimate.refusals.window_s = 0.0
    await full(gate, 2)
    task = (await waiting(gate, 1))[0]
    assert went(await asyncio.wait_for(task, 2.0)) == ("fallback", "overtime")


async def test_a_caller_who_leaves_gives_up_his_turn() -> None:
    gate = gate_of(2)
    tries = await full(gate, 2)
    first, second = await waiting(gate, 2)
    first.cancel()
    await asyncio.wait([first])
    gate.ended(tries[0].key, Ended.SERVED)
    assert went(await second) == SUBNET
    assert (gate.policy.open, gate.policy.waiting) == (2, 0)


async def test_a_slot_is_free_again_when_its_caller_left_in_the_moment_of_the_decision() -> None:
    gate = gate_of(2)
    tries = await full(gate, 2)
    first, second = await waiting(gate, 2)
    gate.ended(tries[0].key, Ended.SERVED)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert went(await asyncio.wait_for(second, 1.0)) == SUBNET
    assert (gate.policy.open, gate.policy.waiting) == (2, 0)


async def test_a_slot_goes_on_to_the_next_when_its_caller_has_just_left() -> None:
    gate = gate_of(2)
    tries = await full(gate, 2)
    first, second = await waiting(gate, 2)
    first.cancel()
    gate.ended(tries[0].key, Ended.SERVED)
    assert went(await asyncio.wait_for(second, 1.0)) == SUBNET
    assert (gate.policy.open, gate.policy.waiting) == (2, 0)


async def test_who_comes_while_a_slot_passes_by_somebody_who_has_left_gets_it() -> None:
    gate = gate_of(2)
    await full(gate, 2)
    first = (await waiting(gate, 1))[0]
    first.cancel()
    gate.policy.estimate.slots.lean([0.0, 0.0, 0.0, 1.0], 1.0)
    began = time.monotonic()
    assert went(await gate.enter(2.0)) == SUBNET
    assert time.monotonic() - began < 1.0
    assert (gate.policy.open, gate.policy.waiting) == (3, 0)


async def test_a_try_that_is_withdrawn_leaves_no_trace() -> None:
    gate = gate_of(2)
    entry = await gate.enter(1.0)
    gate.withdraw(entry.key)
    assert (gate.policy.open, gate.policy.estimate.health.rate) == (0, 1.0)


@pytest.mark.parametrize("retry_after_s", [5.0, 1e9])
async def test_a_subnet_that_wants_rest_gets_it_for_a_bounded_time(retry_after_s: float) -> None:
    clock = Clock()
    gate = gate_of(5, clock=clock)
    gate.ended((await gate.enter(1.0)).key, Ended.REFUSED, retry_after_s)
    assert went(await gate.enter(1.0)) == ("fallback", "resting")
    clock.now += min(retry_after_s, LONGEST_REST_S)
    assert (await gate.enter(1.0)).go == "subnet"


async def test_who_waits_for_a_subnet_that_wants_rest_is_sent_on() -> None:
    gate = gate_of(2)
    tries = await full(gate, 2)
    tasks = await waiting(gate, 2)
    gate.ended(tries[0].key, Ended.REFUSED, 30.0)
    assert [went(await task) for task in tasks] == [("fallback", "resting")] * 2
    assert (gate.policy.open, gate.policy.waiting) == (1, 0)


async def test_a_try_that_is_served_ends_the_rest() -> None:
    gate = gate_of(5)
    tries = await full(gate, 2)
    gate.ended(tries[0].key, Ended.REFUSED, 30.0)
    gate.ended(tries[1].key, Ended.SERVED)
    assert (await gate.enter(1.0)).go == "subnet"


async def test_with_the_policy_off_each_request_is_tried() -> None:
    gate = gate_of(1)
    gate.obey(Override("off"))
    assert [went(await gate.enter(1.0)) for _ in range(5)] == [("subnet", "asked")] * 5
    assert gate.policy.open == 5


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
async def test_the_subnets_share_is_bounded(share: float) -> None:
    gate = gate_of(9)
    gate.obey(Override(max_share=share))
    tried = 0
    for _ in range(1000):
        entry = await gate.enter(1.0)
        if entry.go == "subnet":
            tried += 1
            gate.ended(entry.key, Ended.SERVED)
    assert tried == pytest.approx(1000 * share, abs=50 if 0 < share < 1 else 0)
    assert gate.journal.reasons["capped"] == 1000 - tried


async def test_who_has_to_come_back_is_told_when_a_slot_is_likely() -> None:
    clock = Clock()
    gate = gate_of(4, clock=clock)
    await full(gate, 4)
    assert gate.slot_in_s() == pytest.approx(slot_in_s(gate.policy, clock()))
    gate.ended(0, Ended.REFUSED, retry_after_s=20.0)
    clock.now += 5.0
    assert gate.slot_in_s() == pytest.approx(15.0)
    gate.obey(Override(max_share=0.5))
    assert gate.slot_in_s() == pytest.approx(30.0)


@pytest.mark.parametrize("order", [Override("fallback-only"), Override(max_share=0.0)])
async def test_where_an_operator_lets_nobody_to_the_subnet_no_slot_is_likely(order: Override) -> None:
    gate = gate_of(4)
    gate.obey(order)
    assert gate.slot_in_s() is None


async def test_an_order_against_the_subnet_ends_the_waiting_for_it() -> None:
    gate = gate_of(2)
    await full(gate, 2)
    tasks = await waiting(gate, 2)
    gate.obey(Override("fallback-only"))
    assert [went(await task) for task in tasks] == [("fallback", "capped")] * 2
    assert gate.room() == 0


async def test_what_has_changed_is_kept_for_people() -> None:
    clock = Clock()
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    gate = Gate("text-to-image any", policy, clock, Random(1))
    for entry in [gate.force() for _ in range(3)]:
        gate.ended(entry.key, Ended.UNREACHABLE)
    clock.now += 10.0
    described = gate.describe()
    assert (described["up"], described["open"], described["reasons"]) == (False, 0, {"asked": 3})
    latest = described["changes"][0]
    assert (latest["cause"], latest["up"], latest["seconds_ago"]) == ("unreachable", False, 10)
    assert gate.report()["changes"] == described["changes"]


async def test_an_order_is_kept_as_a_change_with_its_cause() -> None:
    gate = gate_of(2)
    for order in (Override(max_share=0.5), Override(max_share=0.5), Override()):
        gate.obey(order)
    orders = [(change["cause"], change["order"]["max_share"]) for change in gate.describe()["changes"]]
    assert orders == [("ordered", 1.0), ("ordered", 0.5)]


async def test_what_others_and_the_gateway_say_is_a_cause_of_its_own() -> None:
    gate = gate_of(2, clock=(clock := Clock()))
    gate.expect(30)
    clock.now += 1.0
    gate.obey(Override(max_share=0.0))
    await gate.enter(1.0)
    many = {**gate_of(60).report(), "at": clock.now}
    for _ in range(20):
        clock.now += 1.0
        gate.merge({"other": {**many, "at": clock.now}})
    causes = {change["cause"] for change in gate.describe()["changes"]}
    assert causes == {"gateway", "ordered", "others"}


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (None, Ended.SERVED),
        (NoCapacity("full"), Ended.REFUSED),
        (Unreachable("gone"), Ended.UNREACHABLE),
        (TooSlow("slow"), Ended.TIMEOUT),
        (BackendFailed("500"), Ended.BROKEN),
        (RequestRejected("bad", status=400), Ended.CALLER),
        (asyncio.CancelledError(), Ended.CANCELED),
    ],
)
def test_outcomes_tell_the_policy_how_a_try_ended(error: BaseException | None, how: Ended) -> None:
    assert how_it_ended(error, doubtful=False) is how


def test_a_doubtful_request_is_not_held_against_the_subnet() -> None:
    assert how_it_ended(NoCapacity("full"), doubtful=True) is Ended.CALLER


ROUTE = Route(pipeline="text-to-image", fallbacks=(Fallback(provider="replicate", model="a/b", usd_per_job=0.003),))
ROUTES = Routes({"replicate": Provider(kind="replicate")}, [ROUTE])


async def test_the_most_recent_models_have_gates_of_their_own_and_the_rest_share_one() -> None:
    gates = Gates(time.monotonic, Random(1))
    busy = [gates.of(ROUTE, f"model-{n}") for n in range(MODELS_PER_ROUTE)]
    for gate in busy:
        gate.force()
    assert gates.of(ROUTE, "one more") is gates.of(ROUTE, "yet another")
    assert gates.of(ROUTE, "model-7") is busy[7]
    assert len(list(gates)) == MODELS_PER_ROUTE + 1


async def test_an_idle_models_gate_makes_room_for_another() -> None:
    gates = Gates(time.monotonic, Random(1))
    kept = gates.of(ROUTE, "first")
    kept.force()
    for n in range(2 * MODELS_PER_ROUTE):
        gates.of(ROUTE, f"model-{n}")
    assert gates.of(ROUTE, "first") is kept
    assert len(list(gates)) == MODELS_PER_ROUTE
