"""`spillway redemptions`: winning tickets that were paid out, read from the chain, and reports of them."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from spillway.cli.deposit_tables import print_deposits
from spillway.cli.redemption_plot import drawn
from spillway.cli.redemption_tables import print_report
from spillway.domain.periods import begin_of, end_of
from spillway.domain.redemption_sums import By
from spillway.domain.redemptions import LATEST
from spillway.errors import BadSettings
from spillway.services.announcing import Report as Announced
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.redemptions import Progress, Report
from spillway.settings import load_settings

PATIENCE_S = 60.0
"""So long a backfill waits for nodes that limit the rate of calls: nobody else is waiting for it."""

app = typer.Typer(no_args_is_help=True, help="Winning tickets that were paid out on the chain.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Block = Annotated[int | None, typer.Option(min=0)]


@app.command()
def scan(as_json: AsJson = False) -> None:
    """One round: scan to the last final block, write, announce what is unannounced; exits 1 where something is left."""
    from spillway.assembly.notifier import Notifier  # noqa: PLC0415 (--help need not load the house)
    from spillway.assembly.redemptions import open_house  # noqa: PLC0415 (--help need not load the house)

    settings = load_settings()
    _log_alarms()

    async def scanned() -> tuple[Report, Announced]:
        house = open_house(settings)
        notifier = Notifier(settings, house.kept.outbox)
        try:
            # A chain that can't be read must not hold up what was found before.
            return await house.scan().round(), await notifier.round()
        finally:
            await notifier.close()
            await house.close()

    _end(*asyncio.run(scanned()), as_json=as_json)


@app.command()
def backfill(
    first: Annotated[int, typer.Option("--from", help="The first block.", min=0)],
    last: Annotated[
        int | None, typer.Option("--to", help="The last block; default: the last final one.", min=0)
    ] = None,
    announce: Annotated[bool, typer.Option(help="Announce what is found, as a scan does.")] = True,
    as_json: AsJson = False,
) -> None:
    """Read the past. Begun again with the same --from it goes on where it was stopped."""
    from spillway.assembly.redemptions import open_house  # noqa: PLC0415 (--help need not load the house)

    settings = load_settings()
    _log_alarms()

    async def filled(progress: Progress) -> Report:
        house = open_house(settings, patience_s=PATIENCE_S)
        try:
            return await house.backfill(first, told=announce).round(last=last, progress=progress)
        finally:
            await house.close()

    _end(_with_bar(filled), Announced(), as_json=as_json)


@app.command()
def report(
    *,
    since: Annotated[str | None, typer.Option("--from", help="A day (2026-11-26) or a moment; default: all.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="A day, which is included, or a moment.")] = None,
    by: Annotated[By | None, typer.Option(help="Sums by orchestrator, day or gateway.")] = None,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that a reorganisation removed.")] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw what was paid each day as an SVG.")] = None,
) -> None:
    """Print what was paid, from the store alone."""
    from spillway.assembly.kept import open_kept  # noqa: PLC0415 (--help need not load the house)
    from spillway.assembly.state import open_store  # noqa: PLC0415 (--help need not load the house)
    from spillway.assembly.watch import redemption_totals  # noqa: PLC0415 (--help need not load the house)

    if as_json and as_csv:
        raise BadSettings("--json and --csv can't both be had")
    settings, period = load_settings(), Period(*_bounds(since, until), removed)

    async def reported() -> None:
        kept, store = open_kept(settings), open_store(settings)
        try:
            reports = RedemptionReports(kept.redemptions, monotonic=time.monotonic)
            totals = redemption_totals(store)
            await print_report(reports, totals, period, by, "json" if as_json else "csv" if as_csv else "table")
            if plot:
                plot.write_text(drawn(await reports.sums(period, "day")))
        finally:
            await store.close()
            await kept.close()

    asyncio.run(reported())


@app.command()
def deposit(as_json: AsJson = False) -> None:
    """Look at the gateways' deposits, and print them beside what jobs cost. Exits 1 where they can't be seen now."""
    from spillway.assembly.kept import open_kept  # noqa: PLC0415 (--help need not load the house)
    from spillway.assembly.state import load_routes, open_store  # noqa: PLC0415 (--help need not load the house)
    from spillway.assembly.watch import deposit_reports, open_watch  # noqa: PLC0415 (--help need not load the house)

    settings = load_settings()
    if settings.rpc_url is None and settings.subnet_cli_url is None:
        raise BadSettings("SPILLWAY_RPC_URL: set it, or SPILLWAY_SUBNET_CLI_URL, to see a deposit")

    async def looked() -> tuple[list[str], dict[str, Any]]:
        kept, store = open_kept(settings), open_store(settings)
        watch = open_watch(settings, open_kept(settings))
        try:
            return await watch.look(), await deposit_reports(load_routes(settings), kept, store).report()
        finally:
            await watch.close()
            await store.close()
            await kept.close()

    problems, report = asyncio.run(looked())
    if as_json:
        typer.echo(json.dumps(report))
    else:
        print_deposits(report)
    for problem in problems:
        typer.echo(f"spillway: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _bounds(since: str | None, until: str | None) -> tuple[int, int]:
    try:
        return begin_of(since) if since else 0, end_of(until) if until else LATEST
    except ValueError as error:
        raise BadSettings(f"--from, --to: {error}") from error


def _log_alarms() -> None:
    """What is wrong with nodes, on the error stream; what keeps a round from its end is in its report."""
    logging.basicConfig(level=logging.ERROR, format="spillway: %(message)s")
    for name in ("spillway.redemptions", "spillway.announcing"):
        logging.getLogger(name).disabled = True


def _with_bar(run: Callable[[Progress], Awaitable[Report]]) -> Report:
    """Beside a progress bar, which goes to the error stream."""
    from rich.console import Console  # noqa: PLC0415 (only for people)
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("blocks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("blocks", total=None)

        def progress(first: int, at: int, last: int) -> None:
            bar.update(task, completed=at - first + 1, total=last - first + 1)

        async def ran() -> Report:
            return await run(progress)

        return asyncio.run(ran())


def _end(report: Report, announced: Announced, *, as_json: bool) -> None:
    if announced.problem:
        report.problems.append(announced.problem)
    if as_json:
        told = {"announced": len(announced.announced), "messages": announced.messages, "silent": announced.skipped}
        typer.echo(json.dumps({**report.body(), **told}))
    elif report.scanned_to is not None:
        typer.echo(
            f"read to block {report.scanned_to} of {report.final}: {report.found} redemptions found, "
            f"{report.corrected} corrected, {len(announced.announced)} announced"
        )
    for problem in report.problems:
        typer.echo(f"spillway: {problem}", err=True)
    if not report.whole:
        raise typer.Exit(1)
