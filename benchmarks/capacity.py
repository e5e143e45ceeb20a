"""Writes the figures of docs/capacity-planning.md: each question's runs of `spillway simulate`, as a table.

`.venv/bin/python benchmarks/capacity.py`, two minutes; `--print-only` leaves the page alone.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))

from spillway.simulation.changes import Changes
from spillway.simulation.play import play
from spillway.simulation.played import Figures
from spillway.simulation.scenario import Scenario, load_scenario

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/capacity-planning.md"
PICTURES, VIDEOS = "text-to-image", "image-to-video"
COLUMNS = ("requests", "by the subnet", "of the oracle's", "refused a success", "p95, s", "hosted, USD", "cost, USD")
Case = tuple[str, str, Changes]
"""What stands in the first column, the scenario's file, and what is changed of it."""


def scenario(name: str) -> Scenario:
    """One of infra/scenarios."""
    return load_scenario(ROOT / f"infra/scenarios/{name}.toml")


def run(case: Case) -> dict[str, Figures]:
    """By pipeline."""
    _, name, changes = case
    return play(changes.applied(scenario(name))).pipelines


def hosted_usd(figures: Figures) -> float:
    """What is billed by the provider."""
    return figures.fallback_usd + figures.warm_usd


def cells(figures: Figures) -> Iterator[str]:
    """The columns of most tables."""
    yield str(figures.requests)
    yield f"{figures.subnet} ({100 * figures.subnet / figures.requests:.0f} %)"
    yield f"{figures.subnet_share_of_oracle:.2f}"
    yield f"{figures.refused_per_success:.3f}"
    yield f"{figures.latency_p95:.1f}"
    yield f"{hosted_usd(figures):.2f}"
    yield f"{figures.cost_usd:.2f}"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [titles, ["---"] * len(titles), *rows])


def compared(first: str, cases: Sequence[Case], played: Sequence[Figures]) -> str:
    """One row a case."""
    return table([first, *COLUMNS], [[case[0], *cells(one)] for case, one in zip(cases, played, strict=True)])


# The questions: a title for the first column, the cases, and what is said beneath the table.


def _demand(played: Sequence[Figures]) -> str:
    _, once, twice, _ = played
    return (
        f"A full subnet serves what it can hold: {once.subnet} pictures an hour, whether demand is what it is or twice "
        f"that. So every further picture is a hosted one: twice the demand is "
        f"{hosted_usd(twice) / hosted_usd(once):.1f} times the bill."
    )


def _outage(played: Sequence[Figures]) -> str:
    broken, whole = played
    return (
        f"{broken.failed} users fail. The outage costs {hosted_usd(broken) - hosted_usd(whole):.2f} USD of hosted "
        "jobs, "
        f"and the subnet is in use again {broken.recovery_seconds:.0f} s after its end; "
        f"{broken.doomed_attempts - whole.doomed_attempts} more tries than without it were doomed."
    )


def _nothing(_: Sequence[Figures]) -> str:
    return ""


Question = tuple[str, Sequence[Case], Callable[[Sequence[Figures]], str]]
QUESTIONS: dict[str, Question] = {
    "demand": ("demand", [(f"x {n:g}", "steady", Changes(demand_scale=n)) for n in (0.5, 1, 2, 3)], _demand),
    "slots": (
        "slots",
        [
            (f"{slots} (x {n:g})", "diurnal", Changes(slots_scale=n))
            for slots, n in ((5, 0.5), (9, 1), (14, 1.5), (18, 2), (23, 2.5))
        ],
        _nothing,
    ),
    "outage": (
        "ten minutes without a subnet",
        [("yes", "outage", Changes()), ("no (`--no-faults`)", "outage", Changes(faults=False))],
        _outage,
    ),
    "instances": (
        "instances",
        [
            ("1", "eight-instances", Changes(instances=1)),
            *(
                (f"{n}, news {delay_s} s old", "eight-instances", Changes(instances=n, state_delay_s=delay_s))
                for n, delay_s in ((2, 3), (4, 3), (8, 3), (8, 10))
            ),
        ],
        _nothing,
    ),
    "tries": (
        "a doomed try costs",
        [(f"{usd:g} USD", "steady", Changes(usd_per_try=usd)) for usd in (0, 0.0005, 0.003)],
        _nothing,
    ),
    "provider": (
        "a hosted video costs",
        [(f"{usd:.2f} USD", "video", Changes(usd_per_job=usd)) for usd in (0.06, 0.12)],
        _nothing,
    ),
}

WARM: Sequence[tuple[str, str, str]] = (
    ("steady overload, an hour", "steady", PICTURES),
    ("bursts, an hour", "bursts", PICTURES),
    ("sparse pictures, 26 h", "sparse", PICTURES),
    ("competition videos, 26 h", "gif-competition", VIDEOS),
)


def warm(pool: ProcessPoolExecutor) -> str:
    """What no cold start at all would save, beside the price of an instance that is always warm."""
    changes = (Changes(), Changes(cold_start_s=0.0))
    cases = [("", name, change) for _, name, _ in WARM for change in changes]
    played = list(pool.map(run, cases))
    rows = []
    for place, (title, name, pipeline) in enumerate(WARM):
        cold, never = (one[pipeline] for one in played[2 * place : 2 * place + 2])
        one = scenario(name)
        (load,) = [load for load in one.pipelines if load.name == pipeline]
        always_usd = one.seconds * load.fallback.usd_per_warm_second
        saved_usd = cold.cost_usd - never.cost_usd
        rows.append(
            [title, f"{cold.latency_p95:.1f}", f"{never.latency_p95:.1f}", f"{saved_usd:.2f}", f"{always_usd:.2f}"]
        )
    titles = ["scenario", "p95 with cold starts, s", "without, s"]
    return table([*titles, "USD that no cold start at all would save", "one warm instance all the time, USD"], rows)


def answers() -> dict[str, str]:
    """By the name of its place in the page."""
    found = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, (first, cases, said) in QUESTIONS.items():
            played = [next(iter(one.values())) for one in pool.map(run, cases)]
            found[name] = "\n\n".join(filter(None, (compared(first, cases, played), said(played))))
            print(f"capacity: {name}", file=sys.stderr, flush=True)
        found["warm"] = warm(pool)
    return found


def written(page: str, name: str, text: str) -> str:
    """The page with an answer in its place."""
    place = re.compile(rf"(?<=<!-- {name}: make bench writes this -->\n).*?(?=\n<!-- {name} ends -->)", re.DOTALL)
    page, count = place.subn(lambda _: text, page)
    assert count == 1, f"the page has no place for {name!r}"
    return page


def main() -> None:
    """Play, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print-only", action="store_true", help="leave docs/capacity-planning.md alone")
    asked, page = parser.parse_args(), DOCUMENT.read_text(encoding="utf-8")
    for name, text in answers().items():
        print(text, end="\n\n")
        page = written(page, name, text)
    if not asked.print_only:
        DOCUMENT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
