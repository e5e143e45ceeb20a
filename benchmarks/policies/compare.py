"""Every routing policy on every scenario, in two processes; writes the tables of docs/policy.md.

    .venv/bin/python benchmarks/policies/compare.py [--seeds 4] [--processes 2]

No policy but Spillway's looks at what a try costs, so the others are played once and billed at each price. Without
any prices cost says little, so only the two that matter are played beside ours.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "shared")]

from policies.always import AlwaysTry  # noqa: E402 (found only now)
from policies.others import Aimd, Breaker, SuccessRate, Throttling  # noqa: E402
from policies.scenarios import everything  # noqa: E402
from policies.spill import Spill  # noqa: E402
from policies.tables import ALWAYS, CANDIDATE, OURS, Results, document  # noqa: E402
from spillway.domain.controller import Controller  # noqa: E402
from spillway.simulation.play import PATIENCE_S, VIDEO_PATIENCE_S, controller, play  # noqa: E402
from spillway.simulation.played import Figures  # noqa: E402
from spillway.simulation.scenario import PipelineLoad  # noqa: E402

DOCUMENT = HERE.parents[1] / "docs/policy.md"
BEGIN, END = "<!-- make bench writes what follows -->", "<!-- make bench has written this -->"

SECOND_USD = 0.0002
PRICES: Mapping[str, Mapping[str, float]] = {
    "0.0005": {"per_try": 0.0005, "per_second": SECOND_USD},
    "free": {"per_try": 0.0, "per_second": SECOND_USD},
    "0.003": {"per_try": 0.003, "per_second": SECOND_USD},
    "none": {},
}
PLAYED_FOR_OTHERS = "0.0005"
PEERS = {ALWAYS: AlwaysTry, "success rate": SuccessRate, "breaker": Breaker, "throttling": Throttling, "AIMD": Aimd}


class Task(NamedTuple):
    """One policy in one scenario."""

    policy: str
    prices: str
    seed: int
    place: int


def make(policy: str, load: PipelineLoad, instances: int, chance: Random) -> Controller:
    """The controller of one instance."""
    if policy == OURS:
        return controller(load, instances, chance)
    if policy == CANDIDATE:
        return Spill(video=load.is_video, instances=instances, chance=chance)
    kind, kill_s = PEERS[policy], VIDEO_PATIENCE_S if load.is_video else PATIENCE_S
    return kind(kill_s, chance) if kind in (SuccessRate, Throttling) else kind(kill_s)


def run(task: Task) -> tuple[Task, str, Figures]:
    """Play one."""
    scenario = everything(task.seed, PRICES[task.prices])[task.place]
    played = play(scenario, lambda *terms: make(task.policy, *terms))
    (figures,) = played.pipelines.values()
    return task, scenario.name, figures


def tasks(seeds: int) -> Iterator[Task]:
    """What is to be played, the longest first, so that no process is left alone with it at the end."""
    places = range(len(everything(1, {})))
    chosen = {prices: (OURS, CANDIDATE, ALWAYS) if prices == "none" else (OURS,) for prices in PRICES}
    chosen[PLAYED_FOR_OTHERS] = (OURS, CANDIDATE, *PEERS)
    for place in reversed(places):
        for prices, policies in chosen.items():
            yield from (Task(policy, prices, seed, place) for policy in policies for seed in range(1, seeds + 1))


def billed(figures: Figures, prices: str) -> Figures:
    """The same tries at another price."""
    more = PRICES[prices]["per_try"] - PRICES[PLAYED_FOR_OTHERS]["per_try"]
    return replace(figures, cost_usd=figures.cost_usd + more * figures.doomed_attempts)


def play_all(seeds: int, processes: int) -> Results:
    """Figures of each seed, by policy, prices and scenario."""
    todo, results = list(tasks(seeds)), Results()
    with ProcessPoolExecutor(processes) as pool:
        done = as_completed([pool.submit(run, task) for task in todo])
        for number, future in enumerate(done, 1):
            task, name, figures = future.result()
            results.add(task.policy, task.prices, name, figures)
            if task.policy != OURS and task.prices == PLAYED_FOR_OTHERS:
                for other in ("free", "0.003"):
                    results.add(task.policy, other, name, billed(figures, other))
            if number % 25 == 0 or number == len(todo):
                print(f"policies: {number} of {len(todo)} played", file=sys.stderr, flush=True)
    return results


def write(text: str) -> None:
    """Between the markers of the document."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Play, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--print-only", action="store_true", help="leave docs/policy.md alone")
    asked = parser.parse_args()
    text = document(play_all(asked.seeds, asked.processes), asked.seeds)
    print(text)
    if not asked.print_only:
        write(text)


if __name__ == "__main__":
    main()
