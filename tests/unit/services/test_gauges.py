"""Values of the moment: what can't be had is left out, and said to be."""

import asyncio
from random import Random

from spillway.adapters.memory_jobs import MemoryJobs
from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.memory_store import MemoryStore
from spillway.adapters.prometheus import Metrics
from spillway.domain.controller import Ended
from spillway.domain.pipelines import PIPELINES
from spillway.domain.routes import Route
from spillway.errors import StoreUnavailable
from spillway.ports import Values
from spillway.ports.outbox import Draft
from spillway.services.gates import Gates
from spillway.services.gauges import Gauges, QueueGauges, RoundGauges, of_subnet
from spillway.services.rounds import FOLDER, REDEMPTIONS, Rounds
from support.jobs import new_job


async def here() -> Values:
    return {"spillway_body_bytes": 7.0}


async def away() -> Values:
    raise StoreUnavailable("it is away")


async def slow() -> Values:
    await asyncio.sleep(60)
    return {}


async def test_a_source_that_is_away_or_slow_takes_nothing_but_its_own_part() -> None:
    for bad in (away, slow):
        now = await Gauges([here, bad], within_s=0.05).now()
        assert now == {"spillway_body_bytes": 7.0, "spillway_store_up": 0.0}
    assert await Gauges([here]).now() == {"spillway_body_bytes": 7.0, "spillway_store_up": 1.0}


async def test_what_was_told_once_is_not_told_again_when_it_can_not_be_had() -> None:
    metrics = Metrics()
    assert 'spillway_deposit_low{gateway="0xa"} 1.0' in text(metrics, {"spillway_deposit_low": {"0xa": 1.0}})
    assert "spillway_deposit_low" not in text(metrics, {"spillway_store_up": 0.0})


def text(metrics: Metrics, now: Values) -> str:
    """The exposition's text."""
    return metrics.expose(now)[1].decode()


async def test_a_job_that_no_worker_takes_up_waits_since_it_is_due() -> None:
    jobs = MemoryJobs()
    queues = QueueGauges(jobs, Gates(lambda: 0.0, Random(0)), epoch=lambda: 1300.0)
    assert (await queues.now())["spillway_jobs_untaken_seconds"] == 0.0
    await jobs.add(new_job(created_at=1000.0))
    await jobs.add(new_job(created_at=900.0, not_before=1290.0))
    assert (await queues.now())["spillway_jobs_untaken_seconds"] == 300.0


ANY = Route(pipeline="text-to-image", model="*")
USUAL = f"text-to-image {PIPELINES['text-to-image'].default_model}"


async def test_models_that_callers_make_up_have_no_series_until_the_subnet_has_served_them() -> None:
    gates = Gates(lambda: 0.0, Random(0))
    for model in (PIPELINES["text-to-image"].default_model, "made-up", "served"):
        entry = gates.of(ANY, model).force()
        if model == "served":
            gates.of(ANY, model).ended(entry.key, Ended.SERVED)
    gates.of(Route(pipeline="text-to-image", model="named"), "named").force()
    assert {frozenset(values) for values in of_subnet(gates).values()} == {
        frozenset({USUAL, "text-to-image named", "text-to-image served"})
    }


async def test_jobs_of_models_that_callers_make_up_are_counted_together() -> None:
    jobs, gates = MemoryJobs(), Gates(lambda: 0.0, Random(0))
    for lane in (USUAL, "text-to-image made-up", "text-to-image made-up too"):
        gates.of(ANY, lane.partition(" ")[2]).force()
        await jobs.add(new_job(lane=lane))
    now = await QueueGauges(jobs, gates, epoch=lambda: 1300.0).now()
    assert now["spillway_jobs_queued"] == {USUAL: 1.0, "text-to-image *": 2.0}
    assert now["spillway_jobs_running"] == {USUAL: 0.0, "text-to-image *": 0.0}


async def test_rounds_and_announcements_tell_since_when() -> None:
    store, outbox = MemoryStore(), MemoryOutbox(epoch=lambda: 1000.0)
    gauges = RoundGauges(Rounds(store, epoch=lambda: 1000.0), outbox, epoch=lambda: 1200.0)
    assert await gauges.now() == {"spillway_round_timestamp_seconds": {}, "spillway_announcement_waiting_seconds": 0.0}
    await Rounds(store, epoch=lambda: 1100.0).ended(REDEMPTIONS)
    await outbox.add([Draft("a", "note", {})])
    await store.write(FOLDER, "another", {"at": "noon"})
    assert await gauges.now() == {
        "spillway_round_timestamp_seconds": {"redemptions": 1100.0},
        "spillway_announcement_waiting_seconds": 200.0,
    }
