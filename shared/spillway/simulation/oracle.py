"""The oracle: it knows the free slots at every instant and every try's fate, never waits and never wastes a try."""

import heapq
from collections.abc import Iterable

from spillway.simulation.agenda import Agenda
from spillway.simulation.hosted import HostedModel
from spillway.simulation.load import Luck, faults_of, level
from spillway.simulation.scenario import PipelineLoad
from spillway.simulation.subnet import SLOWER


def consult(load: PipelineLoad, lucks: Iterable[Luck]) -> tuple[int, float]:
    """How many requests the oracle gives to the subnet, and what all of them cost it, in USD."""
    agenda, hosted, busy = Agenda(), HostedModel(load.fallback), list[float]()
    subnet, waited_s = 0, 0.0
    for luck in lucks:
        agenda.run(until=luck.at)
        while busy and busy[0] <= luck.at:
            heapq.heappop(busy)
        service_s = _service_s(load, luck)
        if service_s is not None and len(busy) < level(load.slots, luck.at):
            heapq.heappush(busy, luck.at + service_s)
            subnet += 1
            waited_s += service_s
        else:
            waited_s += min(hosted.run(agenda, _nothing), load.deadline_s)
    return subnet, hosted.jobs * load.fallback.usd_per_job + waited_s * load.prices.per_second


def _service_s(load: PipelineLoad, luck: Luck) -> float | None:
    """How long the job holds a slot; None where it would bring nothing."""
    kinds = {window.kind for window in faults_of(load, luck, luck.at)}
    service_s = luck.service_s * (SLOWER if "slow" in kinds else 1.0)
    late = service_s > load.deadline_s
    if late or kinds - {"slow"} or _lost(load, luck, luck.at + service_s):
        return None
    return service_s


def _lost(load: PipelineLoad, luck: Luck, end: float) -> bool:
    """Whether an outage begins while the job runs."""
    return any(
        window.kind == "outage" and luck.at < window.begin <= end and die < window.probability
        for window, die in zip(load.faults, luck.dice, strict=True)
    )


def _nothing() -> None:
    """Nobody waits for the oracle's answers."""
