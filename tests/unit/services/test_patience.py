"""Those who have time take the slots that no live request wants, and never more than the policy allows."""

import asyncio
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.controller import Ended
from spillway.domain.overrides import Override
from spillway.domain.pace import JobPace
from spillway.domain.policy import SubnetPolicy
from spillway.domain.waste import Prices
from spillway.services.gate import Entry, Gate
from spillway.services.patience import LOOK_EVERY_S, enter_patiently


class Watched(Gate):
    """A gate that holds whoever is patient to the rules in the moment in which he begins."""

    patient = 0

    def at_once(self) -> Entry | None:
        waiting, room = self.policy.waiting, self.room()
        entry = super().at_once()
        if entry and entry.reason != "asked":
            self.patient += 1
            assert waiting == 0, "a live request waits"
            assert room > 0 or entry.reason == "probe", "the policy has no room"
        return entry


def gate_of(slots: int, job_s: float = 4.0) -> Watched:
    """A gate that is sure of so many slots, and lets live requests wait."""
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    policy.estimate.slots.lean([*([0.0] * slots), 1.0], 1.0)
    policy.estimate.jobs = JobPace(job_s, 1.5 * job_s)
    policy.waste.tokens, policy.line.pressure = 0.0, 1.0
    return Watched("text-to-image any", policy, time.monotonic, Random(1))


async def patient(gate: Gate, within_s: float = 5.0, *, insist: bool = False) -> "asyncio.Task[Entry]":
    """Somebody who has come to the head of the line, or behind its head."""
    task = asyncio.create_task(enter_patiently(gate, within_s, insist=insist))
    await asyncio.sleep(0.01)
    return task


async def test_a_free_slot_is_taken_at_once() -> None:
    gate = gate_of(2)
    entry = await enter_patiently(gate, 0.0)
    assert (entry.go, entry.reason, gate.policy.open) == ("subnet", "room", 1)


async def test_a_live_request_takes_the_slot_that_comes_free_and_the_patient_one_the_next() -> None:
    gate = gate_of(2)
    tries = [await gate.enter(1.0) for _ in range(2)]
    waits = await patient(gate)
    live = asyncio.create_task(gate.enter(5.0))
    await asyncio.sleep(0.01)
    gate.ended(tries[0].key, Ended.SERVED)
    assert (await live).reason == "waited"
    await asyncio.sleep(0.01)
    assert not waits.done()
    gate.ended(tries[1].key, Ended.SERVED)
    assert (await waits).reason == "room"


async def test_the_patient_go_in_the_order_in_which_they_came() -> None:
    gate = gate_of(1)
    [held] = [await gate.enter(1.0)]
    line = [await patient(gate) for _ in range(3)]
    for place, waits in enumerate(line):
        gate.ended(held.key, Ended.SERVED)
        held = await waits
        assert [one.done() for one in line] == [True] * (place + 1) + [False] * (2 - place)


async def test_among_the_patient_whose_turn_it_is_comes_first() -> None:
    gate = gate_of(1)
    [held] = [await gate.enter(1.0)]
    head, last, first = [
        asyncio.create_task(enter_patiently(gate, 5.0, place=place)) for place in ("0 head", "9 last", "1 first")
    ]
    await asyncio.sleep(0.01)
    for waits in (head, first, last):
        gate.ended(held.key, Ended.SERVED)
        held = await asyncio.wait_for(waits, 2.0)
        assert held.go == "subnet"


async def test_a_freed_slot_is_taken_without_waiting_for_the_next_look() -> None:
    gate = gate_of(1)
    held = await gate.enter(1.0)
    waits = await patient(gate)
    gate.ended(held.key, Ended.SERVED)
    began = time.monotonic()
    await waits
    assert time.monotonic() - began < LOOK_EVERY_S / 2


async def test_patience_ends() -> None:
    gate = gate_of(1)
    await gate.enter(1.0)
    waits = [await patient(gate, 0.05) for _ in range(2)]
    assert [(entry.go, entry.reason) for entry in await asyncio.gather(*waits)] == [("fallback", "overtime")] * 2
    assert gate.policy.open == 1


async def test_who_leaves_the_line_leaves_no_trace() -> None:
    gate = gate_of(1)
    held = await gate.enter(1.0)
    first, second = await patient(gate), await patient(gate)
    first.cancel()
    gate.ended(held.key, Ended.SERVED)
    assert (await second).reason == "room"
    assert gate.policy.open == 1


async def go_down(gate: Gate) -> None:
    """Every try fails, and so does the look whether it is back."""
    for entry in [gate.force() for _ in range(30)]:
        gate.ended(entry.key, Ended.BROKEN)
    probe = await enter_patiently(gate, 0.0)
    assert (gate.policy.up, probe.reason) == (False, "probe")
    gate.ended(probe.key, Ended.BROKEN)


async def test_who_can_go_elsewhere_does_not_wait_for_a_subnet_that_is_down() -> None:
    gate = gate_of(2)
    await go_down(gate)
    began = time.monotonic()
    assert (await enter_patiently(gate, 5.0)).reason == "down"
    assert time.monotonic() - began < 1.0


async def test_who_insists_is_the_probe_of_a_subnet_that_is_down_and_others_pass_meanwhile() -> None:
    gate = gate_of(2)
    await go_down(gate)
    waits = await patient(gate, 20.0, insist=True)
    assert (await asyncio.wait_for(enter_patiently(gate, 5.0), 2.0)).reason == "down"
    assert (await asyncio.wait_for(waits, 10.0)).reason == "probe"


@pytest.mark.parametrize("insist", [False, True])
async def test_an_order_against_the_subnet_holds_for_everybody(insist: bool) -> None:
    gate = gate_of(2)
    [await gate.enter(1.0) for _ in range(2)]
    waits = await patient(gate, insist=insist)
    gate.obey(Override("fallback-only"))
    assert (await asyncio.wait_for(waits, 2.0)).reason == "capped"


async def test_a_bounded_share_bounds_the_patient_too() -> None:
    gate = gate_of(2)
    gate.obey(Override(max_share=0.3))
    tried = 0
    for _ in range(300):
        entry = await enter_patiently(gate, 0.0)
        if entry.go == "subnet":
            tried += 1
            gate.ended(entry.key, Ended.SERVED)
    assert 60 <= tried <= 120


WORDS = ["come", "come", "queue", "queue", "leave", "end", "pass", "learn"]


class Crowd:
    """Live requests and patient ones that come, leave, and end when they are told to."""

    def __init__(self) -> None:
        self.gate = gate_of(2)
        self._ends: list[asyncio.Event] = []
        self._callers: list[asyncio.Task[None]] = []

    async def do(self, word: str, which: int) -> None:
        """One thing happens."""
        if word in ("come", "queue"):
            self._ends.append(asyncio.Event())
            self._callers.append(asyncio.create_task(self._call(self._ends[-1], word)))
        elif word == "learn":
            self.gate.policy.estimate.slots.expect(which)
        elif word == "pass":
            await asyncio.sleep(0)
        elif self._callers:
            place = which % len(self._callers)
            self._callers[place].cancel() if word == "leave" else self._ends[place].set()

    async def _call(self, end: asyncio.Event, how: str) -> None:
        entry = await (self.gate.enter(5.0) if how == "come" else enter_patiently(self.gate, 5.0))
        if entry.go == "subnet":
            try:
                await end.wait()
            finally:
                self.gate.ended(entry.key, Ended.SERVED if end.is_set() else Ended.CALLER)

    async def go_home(self) -> None:
        """All of it ends, and nobody had to break a rule for it."""
        for end in self._ends:
            end.set()
        async with asyncio.timeout(3.0):
            outcomes = await asyncio.gather(*self._callers, return_exceptions=True)
        assert [one for one in outcomes if isinstance(one, Exception)] == []


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 20))))
@settings(max_examples=150)
def test_live_requests_go_first_and_no_place_is_lost_whatever_comes(steps: list[tuple[str, int]]) -> None:
    async def played() -> None:
        crowd = Crowd()
        for word, which in steps:
            await crowd.do(word, which)
        await crowd.go_home()
        assert (crowd.gate.policy.open, crowd.gate.policy.waiting) == (0, 0)

    asyncio.run(played())
