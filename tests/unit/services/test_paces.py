"""What workers measure is added up through the store, and nobody waits for it."""

import asyncio

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.estimates import REMEMBERED, SUBNET
from spillway.services.paces import FOLDER, READ_EVERY_S, Paces

LANE = "image-to-video stabilityai/stable-video-diffusion-img2vid-xt"


class Clock:
    """Seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_lane_of_which_nothing_is_known_has_its_pipelines_usual_time() -> None:
    paces = Paces(MemoryStore(), epoch=Clock())
    assert [(await paces.of(LANE)).usual_s, (await paces.of("text-to-image any")).usual_s] == [40.0, 4.0]


async def test_several_workers_measure_one_lane() -> None:
    store, clock = MemoryStore(), Clock()
    workers = [Paces(store, epoch=clock) for _ in range(4)]
    for seconds, worker in enumerate(workers, 30):
        worker.measured(LANE, SUBNET, float(seconds))
        worker.measured(LANE, "replicate", 2.0 * seconds)
    await asyncio.gather(*(worker.close() for worker in workers[:2]))
    await asyncio.gather(*(worker.close() for worker in workers[2:]))
    pace = await Paces(store, epoch=clock).of(LANE)
    assert (pace.seconds_of(SUBNET), pace.hosted_s()) == ([30.0, 31.0, 32.0, 33.0], 63.0)


async def test_what_is_known_is_read_again_after_a_while() -> None:
    store, clock = MemoryStore(), Clock()
    shows = Paces(store, epoch=clock)
    await shows.of(LANE)
    worker = Paces(store, epoch=clock)
    worker.measured(LANE, SUBNET, 25.0)
    await worker.close()
    assert (await shows.of(LANE)).seconds_of(SUBNET) == []
    clock.now += READ_EVERY_S
    assert (await shows.of(LANE)).seconds_of(SUBNET) == [25.0]


async def test_a_lanes_document_stays_small() -> None:
    store, clock = MemoryStore(), Clock()
    worker = Paces(store, epoch=clock)
    for n in range(3 * REMEMBERED):
        clock.now += 1.0
        worker.measured(LANE, SUBNET, float(n))
    await worker.close()
    [document] = await store.list(FOLDER)
    assert len(document.body["servers"][SUBNET]) == REMEMBERED


async def test_a_document_that_can_not_be_understood_is_no_document() -> None:
    store = MemoryStore()
    await store.write(FOLDER, LANE, {"servers": {SUBNET: "soon"}})
    assert (await Paces(store, epoch=Clock()).of(LANE)).servers == {}
