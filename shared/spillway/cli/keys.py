"""`spillway keys`: dApps' keys, made, listed, replaced and ended."""

import asyncio
import getpass
import json
import re
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from spillway.domain.key_terms import (
    REMOVABLE,
    Change,
    checked_limits,
    checked_name,
    checked_origins,
    checked_priority,
    checked_scopes,
    checked_without,
)
from spillway.domain.keys import SCOPES, Key
from spillway.domain.moments import rfc3339
from spillway.errors import BadSettings
from spillway.services.keys import Keys, Made
from spillway.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Keys of dApps. They are kept in SPILLWAY_STATE, as hashes.")
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, or the whole key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
T = TypeVar("T")

MOST_NAME = 200
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="Whose it is, for people.")] = "",
    scope: Annotated[list[str], typer.Option(help=f"What it is for: {', '.join(SCOPES)}.")] = [],  # noqa: B006
    priority: Annotated[int, typer.Option(help="Lower ones are refused first when the day's money runs low.")] = 0,
    rate: Annotated[float | None, typer.Option(help="Requests a second, over all instances.")] = None,
    burst: Annotated[int | None, typer.Option(help="Requests at once after a rest.")] = None,
    usd_per_day: Annotated[float | None, typer.Option(help="What its hosted inference may cost a UTC day.")] = None,
    origin: Annotated[list[str], typer.Option(help="A web page's origin that may use it (https://app.example).")] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown now, and never again."""
    wanted = Key(
        id="",
        name=checked_name(name),
        scopes=checked_scopes(scope),
        priority=checked_priority(priority),
        limits=checked_limits(rate, burst, usd_per_day),
        origins=checked_origins(origin),
    )
    _show_made(_with_keys(lambda keys: keys.create(wanted)), as_json=as_json)


@app.command()
def change(
    key_id: KeyId,
    *,
    name: Annotated[str | None, typer.Option(help="Whose it is, for people.")] = None,
    scope: Annotated[list[str], typer.Option(help="What it is for, in place of what it was for.")] = [],  # noqa: B006
    priority: Annotated[int | None, typer.Option(help="Lower ones are refused first.")] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second, over all instances.")] = None,
    burst: Annotated[int | None, typer.Option(help="Requests at once after a rest.")] = None,
    usd_per_day: Annotated[float | None, typer.Option(help="What its hosted inference may cost a UTC day.")] = None,
    origin: Annotated[list[str], typer.Option(help="Web pages that may use it, in place of those before.")] = [],  # noqa: B006
    without: Annotated[list[str], typer.Option(help=f"Take a limit away: {', '.join(REMOVABLE)}.")] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Give a key other terms, on every instance within 10 seconds. What is not named stays as it is."""
    wanted = Change(
        name=None if name is None else checked_name(name),
        scopes=checked_scopes(scope) if scope else (),
        priority=None if priority is None else checked_priority(priority),
        rate=rate,
        burst=burst,
        usd_per_day=usd_per_day,
        origins=checked_origins(origin),
        without=checked_without(without),
    )
    key = _with_keys(lambda keys: keys.change(key_id, wanted))
    typer.echo(json.dumps(_shown(key)) if as_json else f"{key.id}: {_limits(key)}; {' '.join(key.scopes)}")


@app.command()
def rotate(
    key_id: KeyId,
    grace: Annotated[str, typer.Option(help="How long the old secret works on: 0s, 30m, 24h, 7d.")] = "24h",
    webhook_secret: Annotated[
        bool, typer.Option("--webhook-secret", help="Replace the secret that signs webhooks too, at once.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret. Its id, and what belongs to it, stay."""
    grace_s = _seconds(grace)
    _show_made(_with_keys(lambda keys: keys.rotate(key_id, grace_s, webhooks=webhook_secret)), as_json=as_json)


@app.command()
def revoke(key_id: KeyId, as_json: AsJson = False) -> None:
    """End a key for good; every instance refuses it within 10 seconds."""
    key = _with_keys(lambda keys: keys.revoke(key_id))
    typer.echo(json.dumps(_shown(key)) if as_json else f"{key.id} is revoked: refused everywhere within 10 seconds")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Print all keys, without their secrets."""
    keys = _with_keys(lambda keys: keys.list())
    if as_json:
        typer.echo(json.dumps({"keys": [_shown(key) for key in keys]}))
    else:
        _print_keys(keys)


@app.command()
def log(as_json: AsJson = False) -> None:
    """Print who created, rotated, revoked and first used keys, newest first."""
    keys = _with_keys(lambda keys: keys.list())
    events = sorted(((event, key) for key in keys for event in key.events), key=lambda one: -one[0].at)
    lines = [
        {"at": rfc3339(event.at), "id": key.id, "name": key.name, "what": event.what, "by": event.by}
        for event, key in events
    ]
    if as_json:
        typer.echo(json.dumps({"events": lines}))
    for line in [] if as_json else lines:
        typer.echo(f"{line['at']}  {line['id']}  {line['name'] or '-'}: {line['what']}, by {line['by']}")


def _with_keys(ask: Callable[[Keys], Awaitable[T]]) -> T:
    from spillway.assembly.state import open_store  # noqa: PLC0415 (--help need not load the house)

    settings = load_settings()
    if settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: memory:// would forget the key at once; set what the front door uses")

    async def asked() -> T:
        store = open_store(settings)
        try:
            return await ask(Keys(store, epoch=time.time, by=_operator()))
        finally:
            await store.close()

    return asyncio.run(asked())


def _operator() -> str:
    """Who gives the order, as this machine says: for a line of a log, so nothing in it may look like another one."""
    said = f"{getpass.getuser()}@{socket.gethostname()}"
    return "".join(char if char.isprintable() else "?" for char in said)[:MOST_NAME]


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not match:
        raise BadSettings(f"--grace {text}: must be a number and one of s, m, h, d: for example 24h")
    return float(match[1]) * _UNITS[match[2]]


def _show_made(made: Made, *, as_json: bool) -> None:
    if as_json:
        secret = {"key": made.token, "webhook_secret": made.key.webhook_secret}
        typer.echo(json.dumps({**secret, **_shown(made.key)}))
        return
    typer.echo(f"key             {made.token}")
    typer.echo(f"webhook secret  {made.key.webhook_secret}")
    typer.echo("The key works now. It is not kept and can't be shown again.")


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "status": "active" if key.revoked_at is None else "revoked",
        "scopes": list(key.scopes),
        "priority": key.priority,
        "rate": key.limits.rate,
        "burst": key.limits.burst if key.limits.rate else None,
        "usd_per_day": key.limits.usd_per_day,
        "origins": list(key.origins),
        "created_at": rfc3339(key.created_at),
        "revoked_at": _told(key.revoked_at),
        "first_used_at": _told(key.first_used_at),
        "last_used_on": key.used_on or None,
        "old_secrets_until": [rfc3339(secret.until) for secret in key.secrets if secret.until is not None],
    }


def _told(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _print_keys(keys: list[Key]) -> None:
    from rich.table import Column, Table  # noqa: PLC0415 (only for people)

    from spillway.cli.console import plain  # noqa: PLC0415 (only for people)

    # An id that is cut short can't be revoked.
    table = Table(
        Column("id", no_wrap=True, min_width=12),
        "name",
        "status",
        "scopes",
        "priority",
        "limits",
        "origins",
        "last used",
    )
    for key in keys:
        shown = _shown(key)
        table.add_row(
            key.id, key.name, shown["status"], " ".join(key.scopes), str(key.priority), _limits(key),
            " ".join(key.origins), key.used_on or "never",
        )  # fmt: skip
    plain().print(table if keys else "There is no key yet: spillway keys create")


def _limits(key: Key) -> str:
    limits = key.limits
    rate = f"{limits.rate:g}/s, {limits.burst} at once" if limits.rate else ""
    money = f"${limits.usd_per_day:g}/day" if limits.usd_per_day is not None else ""
    return "; ".join(one for one in (rate, money) if one) or "none"
