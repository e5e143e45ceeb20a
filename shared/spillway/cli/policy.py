"""`spillway policy`: what the routing policy believes now, and an operator's orders over it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import typer

from spillway.domain.guidance import MODEL
from spillway.domain.overrides import read_override
from spillway.errors import BadSettings
from spillway.services.orders import Orders
from spillway.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The current routing policy by route, and orders over it.")
RouteName = Annotated[str, typer.Option("--route", help="PIPELINE, 'PIPELINE MODEL', or all.")]
ModeName = Annotated[str, typer.Option(help="auto, subnet-only, fallback-only, or off: subnet first each time.")]
Share = Annotated[float, typer.Option(help="The subnet's part of the requests at most, 0 to 1.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
T = TypeVar("T")
PLAIN_WIDTH = 160


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
    if override.mode == "subnet-only" and override.max_share < 1.0:
        raise BadSettings(f"--max-share {max_share}: with --mode subnet-only nobody else could answer; use --mode auto")
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
    if settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: memory:// is each process's own; set what the front doors use")

    async def asked() -> T:
        store = open_store(settings)
        try:
            return await ask(Orders(store, load_routes(settings)))
        finally:
            await store.close()

    return asyncio.run(asked())


def _print(shown: dict[str, Any]) -> None:
    from rich import box  # noqa: PLC0415 (only for people)
    from rich.console import Console  # noqa: PLC0415 (only for people)
    from rich.table import Table  # noqa: PLC0415 (only for people)
    from rich.text import Text  # noqa: PLC0415 (only for people)

    titles = ("Instance", "Subnet", "Slots", "Job", "503 after", "Decisions", "Told", "Last change")
    table = Table("Route", *titles, box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].overflow = "fold"
    for name, route in shown["routes"].items():
        for instance, one in route["instances"].items():
            table.add_row(*map(Text, [name, instance[:8], *_cells(one)]))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(table if shown["routes"] else "No instance has reported yet.")
    for line in [*_orders(shown["orders"]), *_proofs(shown["balancer"])]:
        console.print(Text(line))


def _orders(orders: dict[str, Any]) -> Iterator[str]:
    for name, order in orders.items():
        yield f"Order: {name}: mode {order['mode']}, at most {order['max_share']:.0%} subnet."


def _proofs(balancer: dict[str, Any]) -> Iterator[str]:
    """What the balancer has found out, where it says so in words that are known."""
    for name, route in balancer["routes"].items():
        with suppress(KeyError, TypeError, ValueError):
            yield f"Balancer: {name}: the subnet has earned {route['target']:.0%}, as {route['why']}."
    for name, place in balancer["places"].items():
        with suppress(KeyError, TypeError):
            why = place["way_why"] if place["way"] == MODEL else place["why"]
            yield f"Balancer: {name}: used by its {place['way']}, {place['least']} kept warm: {why}."


def _cells(one: dict[str, Any]) -> list[str]:
    reasons: dict[str, int] = one["reasons"]
    total = sum(reasons.values()) or 1
    most = sorted(reasons.items(), key=lambda counted: -counted[1])[:3]
    up = {True: "up", False: "down"}.get(one["up"], "?")
    decisions = ", ".join(f"{reason} {count / total:.0%}" for reason, count in most)
    told = f"{time.time() - one['told_at']:.0f} s ago"
    seconds = [f"{one['job_seconds']:.1f} s", f"{one['refusal_seconds']:.1f} s"]
    return [up, f"{one['limit']:.1f}", *seconds, decisions, told, _change(one["changes"])]


def _change(changes: list[dict[str, Any]]) -> str:
    if not changes:
        return "-"
    last = changes[0]
    if isinstance(order := last.get("order"), dict):
        return f"ordered {order['mode']}, at most {order['max_share']:.0%}, {last['seconds_ago']} s before"
    to = f"{last['limit']} slots" if last["up"] else "down"
    return f"to {to} by {last['cause']}, {last['seconds_ago']} s before"
