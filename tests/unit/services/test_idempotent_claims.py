"""Claims on Idempotency-Keys: one at a time, by lease, and answers that outlive those who made them."""

import asyncio
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest

from spillway.adapters.memory_files import MemoryFiles
from spillway.adapters.memory_store import MemoryStore
from spillway.errors import BadRequest, StoreUnavailable
from spillway.ports.store import Document
from spillway.services.idempotency import KEPT_S, LARGEST_IN_DOCUMENT, LEASE_S, Answer, Claim, Idempotency, file_of

NOW = 1_790_000_000.0
ANSWER = Answer(200, [("content-type", "application/json")], b'{"n":1}\xff')


class Clock:
    """Epoch seconds, moved by hand."""

    now = NOW

    def __call__(self) -> float:
        return self.now


class Doubtful(MemoryStore):
    """A store that makes the next writes and loses its replies, or is away."""

    lose = 0
    away = False

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        if self.away:
            raise StoreUnavailable("away")
        kept = await super().replace(folder, key, body, version)
        if self.lose:
            self.lose -= 1
            raise StoreUnavailable("the reply was lost")
        return kept


class Stage:
    """Two processes over one store."""

    def __init__(self, wait_s: float = 0.3) -> None:
        self.clock, self.files = Clock(), MemoryFiles()
        self.store = Doubtful(epoch=self.clock)
        self.one, self.other = (Idempotency(self.store, self.files, epoch=self.clock, wait_s=wait_s) for _ in range(2))

    async def claim(self, key: str = "key", print_: str = "body") -> Claim:
        begun = await self.one.begin("anna", key, print_)
        assert isinstance(begun, Claim)
        return begun

    async def answered(self, answer: Answer = ANSWER) -> None:
        claim = await self.claim()
        async with claim:
            await claim.keep(answer)


async def test_answer_is_kept_for_all_processes() -> None:
    there = Stage()
    await there.answered()
    assert await there.one.begin("anna", "key", "body") == ANSWER
    assert await there.other.begin("anna", "key", "body") == ANSWER


async def test_keys_of_different_callers_are_different() -> None:
    there = Stage()
    await there.answered()
    assert isinstance(await there.one.begin("bert", "key", "other body"), Claim)
    assert isinstance(await there.one.begin("anna", "key 2", "other body"), Claim)


async def test_key_is_for_one_body_also_while_the_first_runs() -> None:
    there = Stage()
    async with await there.claim():
        with pytest.raises(BadRequest) as refused:
            await there.other.begin("anna", "key", "another")
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


async def test_second_gets_the_answer_as_soon_as_it_is_there() -> None:
    there = Stage(wait_s=5)
    claim = await there.claim()
    async with claim:
        second = asyncio.create_task(there.other.begin("anna", "key", "body"))
        await asyncio.sleep(0.15)
        assert not second.done()
        await claim.keep(ANSWER)
        assert await second == ANSWER


async def test_second_is_told_to_come_back_when_the_first_takes_long() -> None:
    there = Stage()
    async with await there.claim():
        with pytest.raises(BadRequest) as refused:
            await there.other.begin("anna", "key", "body")
    assert (refused.value.status, refused.value.code) == (409, "idempotency_key_in_use")
    assert int(refused.value.headers["retry-after"]) > 0


async def test_claim_that_is_left_without_an_answer_is_free() -> None:
    there = Stage()
    with pytest.raises(RuntimeError):
        async with await there.claim():
            raise RuntimeError
    assert isinstance(await there.other.begin("anna", "key", "another"), Claim)


async def test_process_that_died_blocks_nobody_for_longer_than_its_lease() -> None:
    there = Stage()
    await there.claim()
    there.clock.now += LEASE_S - 1
    with pytest.raises(BadRequest):
        await there.other.begin("anna", "key", "body")
    there.clock.now += 1
    assert isinstance(await there.other.begin("anna", "key", "body"), Claim)


async def test_late_answer_of_a_process_that_was_replaced_is_dropped() -> None:
    there = Stage()
    late = await there.claim()
    async with late:
        there.clock.now += LEASE_S
        second = await there.other.begin("anna", "key", "body")
        assert isinstance(second, Claim)
        await late.keep(Answer(200, [], b"late"))
    async with second:
        await second.keep(ANSWER)
    assert await there.one.begin("anna", "key", "body") == ANSWER


async def test_one_of_many_claims() -> None:
    there = Stage()
    begun = await asyncio.gather(
        *(one.begin("anna", "key", "body") for one in (there.one, there.other) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Claim) for one in begun) == 1


async def test_answer_is_forgotten_after_a_day() -> None:
    there = Stage()
    await there.answered()
    there.clock.now += KEPT_S
    assert isinstance(await there.one.begin("anna", "key", "another"), Claim)


async def test_large_answer_lies_in_a_file_and_is_swept_with_its_key() -> None:
    there = Stage()
    large = Answer(200, [], b"x" * (LARGEST_IN_DOCUMENT + 1))
    await there.answered(large)
    assert await there.other.begin("anna", "key", "body") == large
    there.clock.now += KEPT_S + 1
    assert await there.one.sweep() == 1
    assert await there.files.read(file_of("anna key")) is None
    assert await there.store.list("answers") == []
    assert await there.one.sweep() == 0


async def test_file_of_a_process_that_died_is_swept_a_day_later() -> None:
    there = Stage()
    files = MemoryFiles(epoch=there.clock)
    one = Idempotency(there.store, files, epoch=there.clock)
    await files.write(file_of("anna key"), BytesIO(b"x"))
    there.clock.now += 2 * KEPT_S - 1
    await one.sweep()
    assert await files.old("answers", there.clock.now + 9) == [file_of("anna key")]
    there.clock.now += 2
    await one.sweep()
    assert await files.old("answers", there.clock.now + 9) == []


async def test_large_answer_whose_file_is_lost_is_not_waited_for_for_ever() -> None:
    there = Stage()
    await there.answered(Answer(200, [], b"x" * (LARGEST_IN_DOCUMENT + 1)))
    await there.files.remove(file_of("anna key"))
    with pytest.raises(BadRequest):
        await there.one.begin("anna", "key", "body")


async def test_lost_replies_of_the_store_change_nothing() -> None:
    there = Stage()
    claim = await there.claim()
    async with claim:
        there.store.lose = 1
        with pytest.raises(StoreUnavailable):
            await claim._write(LEASE_S)
        await claim.keep(ANSWER)
    assert await there.other.begin("anna", "key", "body") == ANSWER


async def test_answer_that_can_not_be_kept_is_given_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    there = Stage()
    claim = await there.claim()
    async with claim:
        there.store.away = True
        await claim.keep(ANSWER)
    assert len(caplog.records) == 1
    there.store.away = False
    there.clock.now += LEASE_S
    assert isinstance(await there.one.begin("anna", "key", "body"), Claim)


async def test_end_that_a_wrong_clock_wrote_does_not_hold_for_ever() -> None:
    there = Stage()
    there.clock.now += 10 * KEPT_S
    await there.claim()
    there.clock.now -= 10 * KEPT_S
    assert isinstance(await there.other.begin("anna", "key", "body"), Claim)


@pytest.mark.parametrize(
    ("status", "final"),
    [(200, True), (202, True), (400, True), (401, True), (404, True), (413, True), (422, True), (408, False),
     (409, False), (429, False), (500, False), (502, False), (503, False), (504, False)],
)  # fmt: skip
def test_what_is_worth_keeping(status: int, final: bool) -> None:
    assert Answer(status, [], b"").final is final
