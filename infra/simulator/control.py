"""`GET` and `PATCH /_simulator`: a simulator's state, and what can be changed while it runs, for other processes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from simulator.faults import fault_from

if TYPE_CHECKING:
    from simulator.server import Simulator

CONTROL = "/_simulator"
SHOWN = 50


async def answer_control(simulator: "Simulator", request: web.Request) -> web.Response:
    """Show the state, after changing what a PATCH wants changed."""
    if request.method == "PATCH":
        try:
            for name, value in (await request.json()).items():
                change(simulator, name, value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
    elif request.method != "GET":
        return web.json_response({"error": "GET or PATCH"}, status=405)
    return web.json_response(state(simulator))


def state(simulator: "Simulator") -> dict[str, Any]:
    """Settings, counters, faults and recent requests."""
    return {
        "name": simulator.name,
        "url": simulator.url,
        "now_s": simulator.clock.now(),
        "time_scale": simulator.time_scale,
        "outage": simulator.down,
        **simulator.settings(),
        "counters": simulator.counters.summary(),
        "by": {name: tally.summary() for name, tally in simulator.by.items()},
        "faults": simulator.faults.describe(),
        "requests": [entry.summary() for entry in list(simulator.requests)[-SHOWN:]],
    }


def change(simulator: "Simulator", name: str, value: Any) -> None:
    """One setting: `faults` (the whole list), `add_faults`, `time_scale`, `outage`, or one of the service's own."""
    changes: dict[str, Callable[[], None]] = {
        "faults": lambda: _set_faults(simulator, value, keep=False),
        "add_faults": lambda: _set_faults(simulator, value, keep=True),
        "time_scale": lambda: _set_scale(simulator, value),
        "outage": lambda: simulator.outage() if value else simulator.recover(),
    }
    changes.get(name, lambda: simulator.change(name, value))()


def _set_faults(simulator: "Simulator", value: Any, *, keep: bool) -> None:
    rules = [fault_from(rule) for rule in value]
    if not keep:
        simulator.faults.clear()
    for rule in rules:
        simulator.faults.add(rule)


def _set_scale(simulator: "Simulator", value: Any) -> None:
    simulator.time_scale = float(value)
