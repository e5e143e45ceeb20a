"""`spillway policy`: what the routing policy believes now, and an operator's orders over it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from spillway.domain.overrides import read_override
from spillway.services.orders import Orders
from spillway.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The current routing policy by route, and orders over it.")
RouteName = Annotated[str, typer.Option("--route", help="PIPELINE, 'PIPELINE MODEL', or all.")]
ModeName = Annotated[str, typer.Option(help="auto, subnet-only, fallback-only, or off: subnet first each time.")]
Share = Annotated[float, typer.Option(help="The subnet's part of the requests at most, 0 to 1.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
T = TypeVar("T")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print what each instance believes of each route, and the orders in force."""
    shown = _with_orders(lambda orders: orders.show())
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        _print(shown)


@app.command("set")
def set_(route: RouteName, mode: ModeName = "auto", max_share: Share = 1.0, as_json: AsJson = False) -> None:
    """Give an order; every instance follows it within 5 seconds."""
    override = read_override(mode, max_share)
    name = _with_orders(lambda orders: orders.set(route, override))
    done = {"route": name, "mode": override.mode, "max_share": override.max_share}
    typer.echo(
        json.dumps(done) if as_json else f"{name}: mode {override.mode}, at most {override.max_share:.0%} subnet"
    )


@app.command()
def reset(route: RouteName, as_json: AsJson = False) -> None:
    """Take an order back: the policy decides by itself."""
    name = _with_orders(lambda orders: orders.reset(route))
    typer.echo(json.dumps({"route": name, "mode": "auto"}) if as_json else f"{name}: the policy decides")


def _with_orders(ask: Callable[[Orders], Awaitable[T]]) -> T:
    from spillway.assembly.state import load_routes, open_store  # noqa: PLC0415 (--help need not load the house)

    settings = load_settings()

    async def asked() -> T:
        store = open_store(settings)
        try:
            return await ask(Orders(store, load_routes(settings)))
        finally:
            await store.close()

    return asyncio.run(asked())


def _print(shown: dict[str, Any]) -> None:
    from rich.console import Console  # noqa: PLC0415 (only for people)
    from rich.table import Table  # noqa: PLC0415 (only for people)

    table = Table("route", "instance", "subnet", "slots", "job s", "503 after s", "decisions", "told")
    for name, route in shown["routes"].items():
        for instance, one in route["instances"].items():
            table.add_row(name, instance[:8], *_cells(one))
    console = Console()
    console.print(table if shown["routes"] else "No instance has reported yet.")
    for name, order in shown["orders"].items():
        console.print(f"order: {name}: mode {order['mode']}, at most {order['max_share']:.0%} subnet")


def _cells(one: dict[str, Any]) -> list[str]:
    reasons: dict[str, int] = one["reasons"]
    total = sum(reasons.values()) or 1
    most = sorted(reasons.items(), key=lambda counted: -counted[1])[:3]
    up = {True: "up", False: "down"}.get(one["up"], "?")
    decisions = ", ".join(f"{reason} {count / total:.0%}" for reason, count in most)
    told = f"{time.time() - one['told_at']:.0f} s ago"
    return [up, f"{one['limit']:.1f}", str(one["job_seconds"]), str(one["refusal_seconds"]), decisions, told]
