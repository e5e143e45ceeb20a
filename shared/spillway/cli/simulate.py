"""`spillway simulate`: scenarios through the real routing policy on a virtual clock."""

import json
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spillway.errors import BadSettings, SpillwayError
from spillway.simulation.changes import Changes
from spillway.simulation.played import Figures, Played
from spillway.simulation.remarks import remarks
from spillway.simulation.scenario import Scenario, load_scenario

PLAIN_WIDTH, LARGEST = 140, 1e9
NUMBERS = ("Requests", "Subnet", "Failed", "Oracle's", "Refused", "p50", "p95", "Hosted $", "Cost $", "Oracle's $")
CAPTION = """\
Oracle's: what the subnet served, over what it would have served with an oracle that knows the free slots. It can
pass 1: a request may wait a little for a slot, the oracle's never do. Refused: tries that found no slot, for each
success. Hosted: jobs and warm instances. Cost: these, doomed tries and users' time, at the file's prices."""
# A value is good from the first bound on, and bad from the second on.
SHARE_BOUNDS = (0.98, 0.95)
REFUSED_BOUNDS = (0.055, 0.14)
COST_BOUNDS = (1.02, 1.25)


def _in_bounds(param: typer.CallbackParam, value: float | None) -> float | None:
    # To click's own bounds, NaN is neither too low nor too high.
    if value is not None and not 0 <= value <= LARGEST:
        raise BadSettings(f"{param.opts[0]} {value:g}: give a number from 0 to {LARGEST:g}")
    return value


def simulate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.toml...", help="Scenario files.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON list.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="OUT.svg", help="Draw all scenarios into one SVG file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Other chance than the file's.")] = None,
    scale_demand: Annotated[float, typer.Option(help="Arrivals times this.", callback=_in_bounds)] = 1.0,
    slots_scale: Annotated[float, typer.Option(help="Slots times this, rounded.", callback=_in_bounds)] = 1.0,
    instances: Annotated[int | None, typer.Option(help="Front-door instances.", min=1, max=256)] = None,
    state_delay: Annotated[
        float | None, typer.Option(help="Seconds until an instance's news reach the others.", callback=_in_bounds)
    ] = None,
    usd_per_try: Annotated[float | None, typer.Option(help="What a doomed try costs.", callback=_in_bounds)] = None,
    usd_per_second: Annotated[float | None, typer.Option(help="Worth of a user's second.", callback=_in_bounds)] = None,
    usd_per_job: Annotated[float | None, typer.Option(help="What a hosted job costs.", callback=_in_bounds)] = None,
    cold_start: Annotated[float | None, typer.Option(help="Of a cold hosted instance, s.", callback=_in_bounds)] = None,
    faults: Annotated[bool, typer.Option("--faults/--no-faults", help="Whether the file's faults happen.")] = True,
) -> None:
    """Play scenarios through the routing policy, beside an oracle that knows the free slots at every instant."""
    changes = Changes(
        seed=seed,
        demand_scale=scale_demand,
        slots_scale=slots_scale,
        instances=instances,
        state_delay_s=state_delay,
        usd_per_try=usd_per_try,
        usd_per_second=usd_per_second,
        usd_per_job=usd_per_job,
        cold_start_s=cold_start,
        faults=faults,
    )
    scenarios = [_changed(_scenario(file), changes) for file in files]
    _check_target(plot)
    runs = list(zip(scenarios, _played(scenarios), strict=True))
    text = _json(runs) if as_json else ""
    if plot:
        _draw(plot, runs)
    if as_json:
        typer.echo(text)
    else:
        _show(runs, plot)


def _scenario(file: Path) -> Scenario:
    if file.is_dir():
        raise BadSettings(f"{file} is a directory: name the files in it, {file}/*.toml")
    return load_scenario(file)


def _changed(scenario: Scenario, changes: Changes) -> Scenario:
    """What is played; raises BadSettings where it is too much of it."""
    changed = changes.applied(scenario)
    try:
        return Scenario.model_validate(changed.model_dump(by_alias=True))
    except ValidationError as error:
        raise BadSettings(f"{scenario.name}, as changed: {error.errors()[0]['msg'].partition(', ')[2]}") from error


def _played(scenarios: Sequence[Scenario]) -> list[Played]:
    """Each in a process of its own as far as there are processors, in the order given."""
    from spillway.simulation.play import play  # noqa: PLC0415 (--help need not load the policy)

    with Console(stderr=True).status(f"Playing {len(scenarios)} scenario{'s'[: len(scenarios) > 1]} ..."):
        if len(scenarios) == 1:
            return [play(scenarios[0])]
        # Whoever ends this process ends those beside it; a terminal's Ctrl-C reaches all, and one answer is enough.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # A forked child could inherit a lock that the status line's thread holds.
        context = multiprocessing.get_context("spawn")
        workers = min(os.cpu_count() or 1, len(scenarios))
        with ProcessPoolExecutor(workers, context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
            try:
                return list(pool.map(play, scenarios))
            except BrokenProcessPool:
                raise SpillwayError(
                    "a process was killed, for want of memory perhaps: play fewer files at once"
                ) from None
            except KeyboardInterrupt:
                _stop(pool)
                raise typer.Exit(130) from None


def _stop(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    for child in multiprocessing.active_children():
        child.terminate()


# What is printed and drawn.


def _json(runs: Sequence[tuple[Scenario, Played]]) -> str:
    return json.dumps([played.as_json() for _, played in runs], indent=2, allow_nan=False)


def _check_target(plot: Path | None) -> None:
    """Before minutes of playing are lost. Raises BadSettings."""
    if plot and (plot.is_dir() or not plot.parent.is_dir()):
        raise BadSettings(f"--plot {plot}: name a file in a directory that exists")


def _draw(target: Path, runs: Sequence[tuple[Scenario, Played]]) -> None:
    from spillway.simulation.plot import plot  # noqa: PLC0415 (only where a picture is wanted)

    try:
        target.write_text(plot(runs), encoding="utf-8")
    except OSError as error:
        raise BadSettings(f"--plot {target} can't be written: {error.strerror}") from error


def _show(runs: Sequence[tuple[Scenario, Played]], plot: Path | None) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(_table(runs))
    for scenario, played in runs:
        for load in scenario.pipelines:
            said = remarks(scenario, load, played.pipelines[load.name])
            if said:
                console.print(Text.assemble((f"{played.name}, {load.name}: ", "bold"), " ".join(said)))
    if plot:
        console.print(Text(f"Drawn: {plot}"))


def _table(runs: Sequence[tuple[Scenario, Played]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.caption, table.caption_justify = CAPTION, "left"
    for title in ("Scenario", "Pipeline"):
        table.add_column(title, overflow="fold")
    for title in NUMBERS:
        table.add_column(title, justify="right", no_wrap=True)
    for _, played in runs:
        for name, figures in played.pipelines.items():
            table.add_row(Text(played.name), Text(name), *_cells(figures))
    return table


def _cells(figures: Figures) -> list[Text]:
    part = figures.subnet / figures.requests if figures.requests else 0.0
    share = figures.subnet_share_of_oracle
    dearer = figures.cost_usd / figures.oracle_usd if figures.oracle_usd else 1.0
    good, bad = SHARE_BOUNDS
    return [
        Text(str(figures.requests)),
        Text(f"{figures.subnet} ({100 * part:.0f} %)"),
        Text(str(figures.failed), "bold red" if figures.failed else "green"),
        Text(f"{share:.2f}", "green" if share >= good else "yellow" if share >= bad else "red"),
        Text(f"{figures.refused_per_success:.3f}", _colour(figures.refused_per_success, REFUSED_BOUNDS)),
        Text(f"{figures.latency_p50:.1f} s"),
        Text(f"{figures.latency_p95:.1f} s", "bold"),
        Text(f"{figures.fallback_usd + figures.warm_usd:.2f}"),
        Text(f"{figures.cost_usd:.2f}", _colour(dearer, COST_BOUNDS)),
        Text(f"{figures.oracle_usd:.2f}"),
    ]


def _colour(value: float, bounds: tuple[float, float]) -> str:
    good, bad = bounds
    return "green" if value <= good else "yellow" if value <= bad else "red"
