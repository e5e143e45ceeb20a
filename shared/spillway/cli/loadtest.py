"""`spillway loadtest`: how much a running front door and the subnet behind it carry."""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spillway.cli.serve import is_loopback
from spillway.errors import BadSettings
from spillway.loadtest.comparison import Difference, compare
from spillway.loadtest.page import page, verdict
from spillway.loadtest.profile import Profile, load_profile
from spillway.loadtest.report import read_report, report
from spillway.loadtest.run import Progress, Run
from spillway.loadtest.samples import Tally, tally
from spillway.loadtest.sender import Sender

REFRESH_S = 0.25
PLAIN_EVERY_S = 10.0
PLAIN_WIDTH = 120
LATEST_S = 10.0


def loadtest(
    target: Annotated[str, typer.Argument(help="URL of a running front door, or an earlier report to show again.")],
    *,
    profile: Annotated[str, typer.Option(help="low, high, or a TOML file (docs/load-testing.md).")] = "low",
    report_file: Annotated[Path | None, typer.Option("--report", help="Write a page with charts.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier report (page or JSON) to compare with.")] = None,
    key: Annotated[str | None, typer.Option(help="A dApp key to send.")] = None,
    seed: Annotated[int | None, typer.Option(help="Other arrivals than the profile's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    yes_really: Annotated[bool, typer.Option(help="Load a target that is not on this machine.")] = False,
) -> None:
    """Send open-loop load, step by step, until something gives way; say what was carried, by whom and how fast."""
    old = read_report(baseline) if baseline else None
    _check_target(report_file)
    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    if target.startswith(("http://", "https://")):
        found = _measured(_checked(target, yes_really), _profile(profile, seed), key, console)
    else:
        found = read_report(Path(target))
    differences = compare(old, found) if old else []
    if report_file:
        report_file.write_text(page(found, differences), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({**found, "changes": [one.as_json() for one in differences]}))
    _show(console, found, differences, report_file)


def _profile(name: str, seed: int | None) -> Profile:
    profile = load_profile(name)
    return profile if seed is None else profile.model_copy(update={"seed": seed})


def _checked(target: str, yes_really: bool) -> str:
    """Load is never sent by mistake to somebody else's machine. Raises BadSettings."""
    host = urlsplit(target).hostname or ""
    if not yes_really and not is_loopback(host):
        raise BadSettings(f"{host} is not this machine: a load test can cost money and harm others; add --yes-really")
    return target


def _check_target(report_file: Path | None) -> None:
    """Before minutes of measuring are lost. Raises BadSettings."""
    if report_file and (report_file.is_dir() or not report_file.parent.is_dir()):
        raise BadSettings(f"--report {report_file}: name a file in a directory that exists")


def _measured(target: str, profile: Profile, key: str | None, console: Console) -> dict[str, Any]:
    began = time.time()
    progress = asyncio.run(_play(target, profile, key, console))
    return report(progress, target, began)


async def _play(target: str, profile: Profile, key: str | None, console: Console) -> Progress:
    async with Sender(target, profile.deadline, key) as sender:
        await sender.check()
        run = Run(profile, sender)
        playing = asyncio.create_task(run.play())
        # Ctrl-C ends the sending; what was seen until then is still worth a report.
        with contextlib.suppress(asyncio.CancelledError):
            await _watch(run, playing, console)
        playing.cancel()
        await asyncio.wait([playing])
        if not playing.cancelled():
            playing.result()
        return run.progress


async def _watch(run: Run, playing: "asyncio.Task[None]", console: Console) -> None:
    if not console.is_terminal:
        while not playing.done():
            await asyncio.wait([playing], timeout=PLAIN_EVERY_S)
            console.print(_line(run), soft_wrap=True)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not playing.done():
            live.update(_view(run), refresh=True)
            await asyncio.wait([playing], timeout=REFRESH_S)


def _latest(run: Run) -> dict[str, Tally]:
    since = run.now() - LATEST_S
    latest = [sample for sample in run.progress.samples if sample.ended >= since]
    return {name: tally(one for one in latest if one.pipeline == name) for name in run.progress.names}


def _line(run: Run) -> str:
    seen = (f"{name} {100 * one.success:.0f} % answered" for name, one in _latest(run).items() if one.requests)
    state = f"{run.now():.0f} s  {run.progress.phase}, {run.progress.in_flight} in flight"
    return "  ".join([state, *seen])


def _view(run: Run) -> Group:
    progress = run.progress
    head = f"{run.now():.0f} s  {progress.phase} requests a second, {progress.in_flight} in flight"
    table = _columns("Pipeline", "Answers /s", "Answered", "Subnet", "p50", "p95")
    for name, one in _latest(run).items():
        row = (f"{one.answered / min(LATEST_S, run.now() or 1):.2f}", *_shares(one))
        table.add_row(name, *row, *(f"{one.latency.at(q):.2f} s" for q in (50, 95)))
    gave = "; ".join(f"{name} gave way: {why}" for name, why in progress.broke.items())
    return Group(Text(head), table, Text(gave, "yellow"))


def _shares(one: Tally) -> tuple[str, str]:
    return f"{100 * one.success:.0f} %", f"{100 * one.subnet_share:.0f} %"


def _columns(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _show(console: Console, found: dict[str, Any], differences: list[Difference], written: Path | None) -> None:
    console.print(Text(verdict(found), "bold"))
    table = _columns("Pipeline", "Requests", "Answered", "Subnet", "p50", "p95", "p99", "Failures")
    for name, one in found["pipelines"].items():
        failures = ", ".join(f"{count} {failure}" for failure, count in one["failures"].items()) or "none"
        shares = (f"{100 * one['success']:.1f} %", f"{100 * one['subnet_share']:.0f} %")
        times = (f"{one['latency'][q]:.2f} s" for q in ("p50", "p95", "p99"))
        table.add_row(name, str(one["requests"]), *shares, *times, failures)
    console.print(table)
    if differences:
        console.print(_changes(differences))
    if not found["client"]["kept_up"]:
        console.print(Text("This machine could not send in time: the target is better than these figures.", "yellow"))
    if written:
        console.print(Text(f"Written: {written}"))


def _changes(differences: list[Difference]) -> Table:
    table = _columns("Pipeline", "Figure", "Before", "After", "Change, 95 %", "Verdict")
    for one in differences:
        values = (f"{one.before:.3g}", f"{one.after:.3g}", f"{one.low:+.3g} to {one.high:+.3g}")
        table.add_row(one.pipeline, one.figure, *values, one.verdict)
    return table
