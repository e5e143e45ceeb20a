"""Deposits and job prices as tables for people."""

from collections.abc import Mapping
from typing import Any

from spillway.domain.announcements import eth


def print_deposits(report: Mapping[str, Any]) -> None:
    """What /api/redemptions/deposit says."""
    from rich.table import Table  # noqa: PLC0415 (only for people)

    from spillway.cli.console import plain  # noqa: PLC0415 (only for people)

    console = plain()
    deposits = Table("gateway", "deposit", "reserve", "paid in a week", "days left", "")
    for one in report["deposits"]:
        deposits.add_row(*_deposit(one))
    console.print(deposits)
    if report["jobs"]:
        jobs = Table("route", "jobs in a week", "a job in tickets", "sustained for 30 days", "hosted")
        for one in report["jobs"]:
            jobs.add_row(*_job(one))
        console.print(jobs)
    for missing in report["missing"]:
        console.print(f"Could not be had: {missing}.")


def _deposit(one: Mapping[str, Any]) -> list[str]:
    days = "-" if one["days_left"] is None else f"{one['days_left']:,.1f}"
    worries = [word for word, holds in (("low", one["low_since"]), ("unlocking", one["unlocking"])) if holds]
    amounts = [eth(int(one[name])) for name in ("deposit_wei", "reserve_wei", "spent_wei")]
    return [one["sender"], *amounts, days, ", ".join(worries)]


def _job(one: Mapping[str, Any]) -> list[str]:
    return [
        one["route"],
        f"{one['jobs']:,}",
        _price(one["expected_wei"], one["expected_usd"]),
        _price(one["sustainable_wei"], one["sustainable_usd"]),
        "-" if one["hosted_usd"] is None else f"${one['hosted_usd']:g}",
    ]


def _price(wei: str | None, usd: float | None) -> str:
    if wei is None:
        return "-"
    return f"{int(wei) / 1e9:,.0f} gwei" + ("" if usd is None else f" (${usd:g})")
