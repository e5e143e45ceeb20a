"""The sixteen fault classes of the public Failover Bench, asked of the front door by every kind of caller.

The primary is the simulated subnet, the fallbacks are a simulated OpenAI-compatible provider and then Replicate.
docs/faults.md says what happens in each class and why.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from faults.house import (
    CHATS,
    DEADLINE_S,
    HOSTED_CHAT,
    HOSTED_PICTURES,
    PICTURES,
    REPLICATE_CHAT,
    REPLICATE_PICTURES,
    SUBNET_TIMEOUT_S,
    WHOLE_CHATS,
    Caller,
    House,
    assert_answered,
    assert_broke_off,
    assert_clear_error,
    house,
)
from simulator import Fault
from spillway.assembly import inside

CALLERS = (*PICTURES, *CHATS)
ONE_OF_EACH = (PICTURES[0], WHOLE_CHATS[1])
TOO_LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
FILTERED = "The response was filtered due to the prompt triggering our content management policy."

every_caller = pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
a_picture_and_a_chat = pytest.mark.parametrize("caller", ONE_OF_EACH, ids=lambda caller: caller.name)


@dataclass(frozen=True)
class Scenario:
    """A class of faults: `chat` befalls a stream, `pictures` the same in one JSON body where it differs.

    `mid_stream` says that words are out when it strikes.
    """

    name: str
    chat: Fault
    pictures: Fault | None = None
    mid_stream: bool = False
    outcome: str = "no-capacity"

    def fault(self, caller: Caller) -> Fault:
        """What the primary does to this caller's request."""
        return self.chat if caller.chat or self.pictures is None else self.pictures

    def befalls_words_that_are_out(self, caller: Caller) -> bool:
        """Whether it is too late for another backend."""
        return self.mid_stream and caller.live


SCENARIOS = (
    Scenario("S01-429-with-retry-after", Fault("status", status=429, retry_after=1, times=1)),
    Scenario("S02-persistent-429", Fault("status", status=429)),
    Scenario("S03-500-once", Fault("status", status=500, times=1), outcome="failed"),
    Scenario("S04-persistent-503", Fault("status", status=503)),
    Scenario("S04-refused-when-full", Fault("refuse")),
    Scenario("S05-reset-before-headers", Fault("reset"), outcome="unreachable"),
    Scenario("S05-closed-before-headers", Fault("close"), outcome="unreachable"),
    Scenario("S06-no-response", Fault("hang"), outcome="too-slow"),
    Scenario("S07-slow-first-byte", Fault("slow_first_byte", delay_s=3 * SUBNET_TIMEOUT_S), outcome="too-slow"),
    Scenario("S08-cut-stream", Fault("cut"), mid_stream=True, outcome="broken-answer"),
    Scenario("S09-stalled-stream", Fault("stall"), mid_stream=True, outcome="too-slow"),
    Scenario("S10-malformed-chunk", Fault("malformed_chunk"), mid_stream=True, outcome="broken-answer"),
    Scenario("S11-no-end-marker", Fault("no_end_marker"), Fault("clean_cut"), mid_stream=True, outcome="broken-answer"),
    Scenario("S11-clean-end-half-way", Fault("clean_cut"), mid_stream=True, outcome="broken-answer"),
)


def tries(there: House, caller: Caller) -> int:
    """How often the primary was asked, counted by itself."""
    return there.subnet.by[caller.pipeline].tries


def hosted_model(caller: Caller) -> str:
    return HOSTED_CHAT if caller.chat else HOSTED_PICTURES


@every_caller
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_the_fallback_answers_after_one_try_on_the_primary(
    scenario: Scenario, caller: Caller, tmp_path: Path
) -> None:
    """Only a live stream whose words are out is not answered by another: it ends with an error event."""
    async with house(tmp_path) as there:
        there.subnet.faults.add(scenario.fault(caller))
        reply = await caller.ask(there)
        assert reply.seconds < DEADLINE_S
        assert tries(there, caller) == 1
        assert await there.outcomes() == [("subnet", scenario.outcome)]
        if scenario.befalls_words_that_are_out(caller):
            assert_broke_off(reply)
            assert (reply.served_by, reply.attempts) == ("subnet", 1)
            assert there.hosted.counters.tries == 0
            return
        await assert_answered(there, caller, reply)
        assert (reply.served_by, reply.attempts) == ("hosted", 2)
        assert there.hosted.counters.tries == 1


@a_picture_and_a_chat
async def test_s01_retry_after_is_honoured_by_later_requests(caller: Caller, tmp_path: Path) -> None:
    """The primary is left alone for as long as it asked, and comes first again afterwards."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=429, retry_after=1, times=1)
        began = time.monotonic()
        await caller.ask(there)
        answered = time.monotonic()
        while_resting = [await caller.ask(there) for _ in range(3)]
        assert time.monotonic() - began < 1
        assert [reply.served_by for reply in while_resting] == ["hosted"] * 3
        assert [reply.attempts for reply in while_resting] == [1] * 3
        assert tries(there, caller) == 1
        await asyncio.sleep(answered + 1.1 - time.monotonic())
        assert (await caller.ask(there)).served_by == "subnet"


@a_picture_and_a_chat
@pytest.mark.parametrize("status", [429, 503])
async def test_s02_s04_a_persistent_refusal_is_not_hammered(status: int, caller: Caller, tmp_path: Path) -> None:
    """Everybody is answered, and after a few doomed tries the primary is only probed."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=status)
        replies = [await caller.ask(there) for _ in range(12)]
        assert {reply.served_by for reply in replies} == {"hosted"}
        assert tries(there, caller) <= 6
        assert sum(reply.attempts for reply in replies) == tries(there, caller) + 12


@a_picture_and_a_chat
async def test_s03_a_single_500_is_forgotten(caller: Caller, tmp_path: Path) -> None:
    """The request that met it is answered by the fallback, the next one by the primary again."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=500, times=1)
        replies = [await caller.ask(there) for _ in range(2)]
        assert [(reply.served_by, reply.attempts) for reply in replies] == [("hosted", 2), ("subnet", 1)]


@a_picture_and_a_chat
async def test_s05_an_address_where_nobody_listens_is_left_within_the_deadline(caller: Caller, tmp_path: Path) -> None:
    """A connection that was never made is the only thing that is tried again."""
    async with house(tmp_path) as there:
        there.subnet.kill()
        reply = await caller.ask(there)
        await assert_answered(there, caller, reply)
        assert (reply.served_by, reply.attempts) == ("hosted", 2)
        assert await there.outcomes() == [("subnet", "unreachable")]


@every_caller
async def test_s07_a_first_byte_that_is_slow_but_in_time_is_waited_for(caller: Caller, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add("slow_first_byte", delay_s=SUBNET_TIMEOUT_S / 3)
        reply = await caller.ask(there)
        await assert_answered(there, caller, reply)
        assert (reply.served_by, reply.attempts) == ("subnet", 1)


@every_caller
async def test_s12_too_long_goes_back_to_the_caller_after_one_try(caller: Caller, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=400, message=TOO_LONG)
        reply = await caller.ask(there)
        assert_clear_error(caller, reply, 400)
        assert reply.message == TOO_LONG
        assert reply.attempts == tries(there, caller) == 1
        assert there.hosted.counters.tries == there.replicate.counters.tries == 0
        if caller.openai:
            assert reply.body["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("caller", CHATS, ids=lambda caller: caller.name)
async def test_s12_too_long_may_go_to_a_fallback_with_a_larger_window(caller: Caller, tmp_path: Path) -> None:
    """Only to that one: the provider in between declares no larger window and is not asked."""
    async with house(tmp_path, window="context_tokens = 8192", larger="context_tokens = 128000") as there:
        there.subnet.faults.add("status", status=400, message=TOO_LONG)
        reply = await caller.ask(there)
        await assert_answered(there, caller, reply)
        assert (reply.served_by, reply.attempts) == ("replicate", 2)
        assert there.hosted.counters.tries == 0


@pytest.mark.parametrize("caller", CHATS, ids=lambda caller: caller.name)
async def test_s12_a_larger_window_is_of_no_use_to_a_caller_who_refuses_fallbacks(
    caller: Caller, tmp_path: Path
) -> None:
    async with house(tmp_path, window="context_tokens = 8192", larger="context_tokens = 128000") as there:
        there.subnet.faults.add("status", status=400, message=TOO_LONG)
        reply = await caller.ask(there, x_spillway_prefer="subnet-only")
        assert_clear_error(caller, reply, 400)
        assert reply.message == TOO_LONG


@every_caller
async def test_s13_a_content_filter_goes_back_to_the_caller_after_one_try(caller: Caller, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=400, message=FILTERED)
        reply = await caller.ask(there)
        assert_clear_error(caller, reply, 400)
        assert reply.message == FILTERED
        assert reply.attempts == tries(there, caller) == 1
        assert there.hosted.counters.tries == there.replicate.counters.tries == 0


@every_caller
async def test_s13_a_hosted_refusal_is_not_taken_to_the_next_fallback(caller: Caller, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=503)
        there.hosted.faults.add("content_filter", message=FILTERED)
        reply = await caller.ask(there)
        assert_clear_error(caller, reply, 400)
        assert reply.message == FILTERED
        assert (tries(there, caller), there.hosted.counters.tries, there.replicate.counters.tries) == (1, 1, 0)


@pytest.mark.parametrize("caller", (PICTURES[1], *WHOLE_CHATS[1:]), ids=lambda caller: caller.name)
async def test_s13_the_code_of_a_refusal_reaches_a_program(caller: Caller, tmp_path: Path) -> None:
    """OpenAI's own words: clients compare error.code with them."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=503)
        there.hosted.faults.add("content_filter", message=FILTERED)
        reply = await caller.ask(there)
        expected = "content_filter" if caller.chat else "content_policy_violation"
        assert reply.body["error"]["code"] == expected


@a_picture_and_a_chat
@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
async def test_s14_a_fallback_that_rejects_is_followed_by_the_next(status: int, caller: Caller, tmp_path: Path) -> None:
    """The caller's request has passed our own checks, so what a provider dislikes is our route or our account."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=503)
        there.hosted.faults.add("status", status=status, message="no such thing here")
        reply = await caller.ask(there)
        await assert_answered(there, caller, reply)
        assert (reply.served_by, reply.attempts) == ("replicate", 3)
        assert (tries(there, caller), there.hosted.counters.tries) == (1, 1)


@every_caller
async def test_s14_when_all_reject_the_error_is_clear_and_soon(caller: Caller, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        for upstream in (there.subnet, there.hosted, there.replicate):
            upstream.faults.add("status", status=503)
        reply = await caller.ask(there)
        assert_clear_error(caller, reply, 503)
        assert int(reply.headers["retry-after"]) >= 1
        assert reply.attempts == 3
        assert reply.seconds < 1
        for name in ("subnet", "hosted", "replicate"):
            assert name in reply.message


@every_caller
async def test_s14_when_all_hang_the_deadline_holds(caller: Caller, tmp_path: Path) -> None:
    """Each backend gets its share of the time, so that the last is asked too."""
    async with house(tmp_path) as there:
        for upstream in (there.subnet, there.hosted, there.replicate):
            upstream.faults.add("hang")
        reply = await caller.ask(there, x_spillway_deadline="1.5")
        if reply.status == 200:  # held back: comments went out meanwhile
            assert_broke_off(reply)
        else:
            assert_clear_error(caller, reply, 504)
        assert 1.4 < reply.seconds < 2.5
        assert [backend for backend, _ in await there.outcomes()] == ["subnet", "hosted", "replicate"]


@a_picture_and_a_chat
async def test_s15_flap_twenty_requests_across_an_outage(
    caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down for a minute, then healthy, one request every 4 s, on a clock that runs 30 times as fast.

    The peers of the benchmark sent 15 to 45 doomed tries, the best-tuned one 4.
    """
    fast = 30.0
    began = time.monotonic()

    def clock() -> float:
        return began + (time.monotonic() - began) * fast

    monkeypatch.setattr(inside, "time", SimpleNamespace(monotonic=clock, time=time.time))
    async with house(tmp_path, deadline=fast * DEADLINE_S, subnet_timeout=fast * SUBNET_TIMEOUT_S) as there:
        start = clock()
        there.subnet.kill()
        replies = []
        for number in range(20):
            await asyncio.sleep(max(0.0, start + 4 * number - clock()) / fast)
            if number == 15:
                there.subnet.revive()
                await asyncio.sleep(0)
            replies.append(await caller.ask(there))
        assert [reply.status for reply in replies] == [200] * 20
        doomed = sum(reply.attempts - 1 for reply in replies)
        assert doomed <= 9
        assert {reply.served_by for reply in replies[:15]} == {"hosted"}
        assert replies[-1].served_by == "subnet", [reply.served_by for reply in replies]


@every_caller
async def test_s16_accounting_names_the_fallback(caller: Caller, tmp_path: Path) -> None:
    """In the headers, in the answer, in the metrics and in the figures, with the money."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("status", status=503)
        reply = await caller.ask(there)
        model = hosted_model(caller)
        assert (reply.served_by, reply.headers.get("x-spillway-model")) == ("hosted", model)
        assert "subnet;dur=" in reply.headers["server-timing"]
        if caller.chat:
            assert reply.model == model
        elif caller.openai:
            assert reply.body["model"] == model
        pipeline = caller.pipeline
        metrics = await there.metrics()
        assert f'spillway_requests_total{{outcome="served",pipeline="{pipeline}",served_by="hosted"}} 1.0' in metrics
        assert f'spillway_attempts_total{{backend="subnet",outcome="no-capacity",pipeline="{pipeline}"}} 1.0' in metrics
        figures = (await there.stats())["pipelines"][pipeline]
        assert (figures["requests"], figures["subnet"], figures["fallback"]) == (1, 0, 1)
        assert (figures["attempts"], figures["fallback_usd"]) == (2, 0.01 if caller.chat else 0.04)


@a_picture_and_a_chat
async def test_s16_accounting_names_the_last_of_three(caller: Caller, tmp_path: Path) -> None:
    """A provider that turned the job away is not paid for it."""
    async with house(tmp_path) as there:
        there.subnet.faults.add("hang")
        there.hosted.faults.add("status", status=429)
        reply = await caller.ask(there)
        assert (reply.served_by, reply.attempts) == ("replicate", 3)
        if "x-spillway-model" in reply.headers:
            assert reply.headers["x-spillway-model"] == (REPLICATE_CHAT if caller.chat else REPLICATE_PICTURES)
        assert (await there.stats())["total"]["fallback_usd"] == (0.001 if caller.chat else 0.003)
