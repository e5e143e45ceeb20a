"""The past is summed without loss, kept small, and read back, whatever is cut off on the way."""

import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from spillway.adapters.memory_store import MemoryStore
from spillway.adapters.sqlite_store import SqliteStore
from spillway.domain.chronicle import DAY_S, HOUR_S, VERSION, Cells, body_of, cell, merge, total
from spillway.domain.routes import Fallback, Provider, Route, Routes
from spillway.errors import BadRequest, Conflict, StoreUnavailable
from spillway.ports import Attempt, Served
from spillway.ports.store import Store
from spillway.services.archive import DAYS, HOURS, RANGES, Archive, Grain, range_named
from spillway.services.chronicling import MINUTES, Chronicling

ROUTES = Routes(
    {"hosted": Provider(kind="openai", base_url="http://127.0.0.1:1")},
    [Route(pipeline="llm", fallbacks=(Fallback(provider="hosted", model="m", usd_per_job=0.02),))],
)
NOON = 1_700_000_000 - 1_700_000_000 % DAY_S + 12 * HOUR_S


class Clock:
    """Epoch seconds, moved by hand."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Instance:
    """One front door's chronicle."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.chronicling = store, Chronicling(ROUTES, epoch=clock)

    def serve(self, count: int = 1, server: str = "subnet") -> None:
        for _ in range(count):
            tries = [Attempt("subnet", "served" if server == "subnet" else "no-capacity", 1.0)]
            usd = 0.0 if server == "subnet" else 0.02
            self.chronicling.record(Served("llm", "m", server, "served", 2.0, tries, usd))

    async def write(self) -> None:
        for folder, key, body in self.chronicling.documents():
            await self.store.write(folder, key, body)


async def requests(archive: Archive, view: str) -> int:
    sums = total((await archive.cells(RANGES[view])).values())
    return sums["llm"].requests if sums else 0


async def test_two_instances_are_one_past_in_every_view() -> None:
    clock, store = Clock(), MemoryStore()
    archive, one, two = Archive(store, clock), Instance(store, clock), Instance(store, clock)
    for hour in range(30):
        clock.now = NOON + hour * HOUR_S + 100
        one.serve(3)
        two.serve(2, "hosted")
        await one.write()
        await two.write()
        await archive.sum_up()
    assert {view: await requests(archive, view) for view in RANGES} == {
        "1h": 5, "6h": 30, "24h": 120, "7d": 150, "30d": 150, "90d": 150,
    }  # fmt: skip
    figures = total((await archive.cells(RANGES["7d"])).values())["llm"]
    assert (figures.subnet, figures.answered, figures.tries, figures.refused) == (90, 150, 150, 60)
    assert figures.usd == pytest.approx(60 * 0.02)
    assert figures.spared_usd == pytest.approx(90 * 0.02)
    assert len(await store.list(MINUTES)) <= 2 * 5


async def test_an_hour_that_nobody_has_summed_is_seen_all_the_same() -> None:
    clock, store = Clock(), MemoryStore()
    one = Instance(store, clock)
    one.serve(4)
    await one.write()
    clock.now += 5 * HOUR_S
    assert await requests(Archive(store, clock), "24h") == 4


async def test_summing_twice_and_late_news_count_once() -> None:
    clock, store = Clock(), MemoryStore()
    archive, one, late = Archive(store, clock), Instance(store, clock), Instance(store, clock)
    one.serve(2)
    late.serve(5)
    await one.write()
    clock.now += HOUR_S + 400
    await archive.sum_up()
    await archive.sum_up()
    time.sleep(0.01)
    await late.write()
    await archive.sum_up()
    clock.now += 10 * HOUR_S
    await archive.sum_up()
    assert await store.list(MINUTES) == []
    assert await requests(archive, "24h") == 7
    assert await requests(archive, "90d") == 7


async def test_a_round_that_is_cut_off_anywhere_loses_nothing() -> None:
    class Cut(MemoryStore):
        left = 0

        def spend(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailable("cut off")

        async def replace(self, folder, key, body, version):  # type: ignore[no-untyped-def]
            self.spend()
            return await super().replace(folder, key, body, version)

        async def delete(self, folder, key):  # type: ignore[no-untyped-def]
            self.spend()
            await super().delete(folder, key)

    clock, store = Clock(), Cut()
    archive = Archive(store, clock)
    for _ in range(3):
        one = Instance(store, clock)
        one.serve(2)
        await one.write()
    clock.now += 6 * HOUR_S
    for steps in range(6):
        store.left = steps
        try:
            await archive.sum_up()
        except (StoreUnavailable, Conflict):
            assert await requests(archive, "24h") == 6
    store.left = 100
    await archive.sum_up()
    assert await requests(archive, "24h") == 6
    assert await store.list(MINUTES) == []


async def test_a_write_that_failed_is_made_again() -> None:
    clock, store = Clock(), MemoryStore()
    one = Instance(store, clock)
    one.serve()
    next(one.chronicling.documents())
    assert [folder for folder, _, _ in one.chronicling.documents()] == [MINUTES]
    assert list(one.chronicling.documents()) == []


@pytest.mark.parametrize("junk", [{}, {"hour": "noon", "cells": {}}, {"hour": NOON, "cells": 7, "summed": []}])
async def test_what_makes_no_sense_stops_neither_the_sums_nor_their_readers(junk: dict[str, Any]) -> None:
    clock, store = Clock(), MemoryStore()
    archive, one = Archive(store, clock), Instance(store, clock)
    body = {"version": VERSION, **junk}
    await store.write(MINUTES, "junk", body)
    await add(store, HOURS, NOON - NOON % DAY_S, {})
    for found in await store.list(HOURS.folder):
        await store.write(HOURS.folder, found.key, body)
    one.serve()
    await one.write()
    clock.now += 2 * HOUR_S
    await archive.sum_up()
    assert [await requests(archive, view) for view in ("24h", "7d")] == [1, 1]


def test_a_range_that_is_none_names_those_that_are() -> None:
    with pytest.raises(BadRequest, match="range must be one of 1h, 6h, 24h, 7d, 30d, 90d"):
        range_named("2y")


async def test_ninety_days_of_a_hundred_thousand_jobs_a_day_are_read_in_a_moment(tmp_path: Path) -> None:
    """100,000 jobs a day, five pipelines and two servers; read cold, as the first to look does."""
    store = SqliteStore(tmp_path / "state.db")
    now = float(NOON)
    await fill(store, now)
    began = time.process_time()
    archive = Archive(store, lambda: now)
    assert await requests(archive, "90d") == (89 * 24 + 12) * 834
    assert await requests(archive, "30d") == (30 * 24 - 6) * 834
    spent_s = time.process_time() - began
    await store.close()
    assert spent_s < 0.9


async def fill(store: Store, now: float) -> None:
    chance = Random(1)
    for day in range(91):
        midnight = int(now - now % DAY_S) - day * DAY_S
        cells: Cells = {}
        for hour in range(midnight, midnight + DAY_S, HOUR_S):
            if hour < now:
                for place, pipeline in enumerate(
                    ("llm", "text-to-image", "image-to-video", "upscale", "audio-to-text")
                ):
                    one = cell(cells, hour, pipeline)
                    one.requests += 834 if place == 0 else 1
                    for _ in range(60):
                        one.answered_by("subnet", chance.lognormvariate(1.2, 0.5))
                        one.answered_by("replicate", chance.lognormvariate(1.5, 0.7))
        for grain in (HOURS, DAYS):
            await add(store, grain, midnight, cells)


async def add(store: Store, grain: Grain, midnight: int, cells: Cells) -> None:
    """A day into its document, as many summed hours leave it."""
    key = f"{grain.folder} {time.strftime(grain.name, time.gmtime(midnight))}"
    gathered: Cells = {}
    merge(gathered, cells, grain.step_s)
    found = await store.read(grain.folder, key)
    body = found.body if found else {"version": VERSION, "summed": {}, "cells": {}}
    body["summed"].update({str(hour): midnight for hour in range(midnight, midnight + DAY_S, HOUR_S)})
    body["cells"].update(body_of(gathered))
    await store.write(grain.folder, key, body)
