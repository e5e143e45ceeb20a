"""Reports of redemptions in the terminal, or as text for other programs; written as they are read."""

import json
import sys
from typing import Any, Literal

from spillway.domain.redemption_sums import By, Sums
from spillway.domain.redemption_table import grouped, table
from spillway.domain.redemptions import Redemption, eth_text
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.redemption_totals import RedemptionTotals

Form = Literal["json", "csv", "table"]
SHOWN = 50
"""So many rows of a table are for people; the rest is in JSON and CSV."""


async def print_report(
    reports: RedemptionReports, totals: RedemptionTotals, period: Period, by: By | None, form: Form
) -> None:
    """In one of three forms; no more than a page of it is in memory."""
    if form == "json":
        await _print_json(reports, totals, period, by)
    elif form == "csv":
        await _print_csv(reports, period, by)
    else:
        await _print_table(reports, totals, period, by)


async def _print_json(reports: RedemptionReports, totals: RedemptionTotals, period: Period, by: By | None) -> None:
    sums, comma = Sums(by), ""
    sys.stdout.write('{"redemptions":[')
    async for one in reports.each(period):
        sums.add(one)
        sys.stdout.write(comma + json.dumps(one.body()))
        comma = ",\n"
    groups = {"by": {by: sums.rows()}} if by else {}
    told = await totals.body(period, sums.total)
    sys.stdout.write(f"],{json.dumps({'totals': told, **groups})[1:]}\n")


async def _print_csv(reports: RedemptionReports, period: Period, by: By | None) -> None:
    """The redemptions, or the groups where a way to group them was asked for."""
    if by:
        sys.stdout.write(grouped(await reports.sums(period, by)))
        return
    sys.stdout.write(table([]))
    async for one in reports.each(period):
        sys.stdout.write(table([one], header=False))


async def _print_table(reports: RedemptionReports, totals: RedemptionTotals, period: Period, by: By | None) -> None:
    from spillway.cli.console import plain  # noqa: PLC0415 (only for people)

    sums, newest = Sums(by), list[Redemption]()
    async for one in reports.each(period):
        sums.add(one)
        if len(newest) < SHOWN:
            newest.append(one)
    console = plain()
    console.print(_groups(by, sums) if by else _redemptions(newest))
    total = sums.total
    console.print(
        f"{total.count} winning tickets, {eth_text(total.amount_wei)} ETH to {len(total.recipients)} orchestrators"
    )
    told = await totals.body(period, total)
    if told["tickets_sent"] is not None:
        console.print(f"{told['tickets_sent']:,} tickets were sent, worth {eth_text(int(told['expected_wei']))} ETH")
    if told["luck"]:
        console.print("luck: {ratio:.2f} of what was expected (95 %: {low:.2f} to {high:.2f})".format(**told["luck"]))
    if not by and total.count > SHOWN:
        console.print(f"The newest {SHOWN} are shown; --json and --csv print all.")


def _redemptions(newest: list[Redemption]) -> Any:
    from rich.table import Table  # noqa: PLC0415 (only for people)

    shown = Table("time, UTC", "orchestrator", "ETH", "USD", "round", "status", "transaction")
    for one in newest:
        body = one.body()
        shown.add_row(
            body["timestamp"], body["recipient_name"] or one.recipient, eth_text(one.amount_wei),
            body["amount_usd"] or "-", str(one.round or "-"), one.status, f"{one.tx_hash[:10]}…",
        )  # fmt: skip
    return shown


def _groups(by: By, sums: Sums) -> Any:
    from rich.table import Table  # noqa: PLC0415 (only for people)

    shown = Table(by, "tickets", "ETH", "orchestrators" if by != "orchestrator" else "name")
    for row in sums.rows():
        last = row["name"] or "-" if by == "orchestrator" else str(row["orchestrators"])
        shown.add_row(row[by], str(row["count"]), row["amount_eth"], last)
    return shown
