"""Who the caller is."""

from typing import Any

from spillway.edge.auth import OpenEntrance


def asked(*headers: tuple[str, str], client: tuple[str, int] | None = ("192.0.2.1", 4711)) -> dict[str, Any]:
    """A request's ASGI scope."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": "POST", "path": "/llm", "headers": raw, "client": client}


async def test_without_keys_callers_are_told_apart_by_their_addresses() -> None:
    entrance = OpenEntrance()
    assert (await entrance.admit(asked())).id == "client:192.0.2.1"
    assert (await entrance.admit(asked(client=("2001:db8::1", 1)))).id == "client:2001:db8::1"
    assert (await entrance.admit(asked(client=None))).id == "client:"


async def test_only_behind_a_front_end_is_a_forwarded_address_believed() -> None:
    forged = asked(("x-forwarded-for", "203.0.113.7"))
    assert (await OpenEntrance().admit(forged)).id == "client:192.0.2.1"


async def test_behind_a_front_end_the_address_that_it_added_counts() -> None:
    entrance = OpenEntrance(proxied=True)
    seen = asked(("x-forwarded-for", "10.0.0.1, 203.0.113.7"))
    assert (await entrance.admit(seen)).id == "client:203.0.113.7"
    assert (await entrance.admit(asked())).id == "client:192.0.2.1"
