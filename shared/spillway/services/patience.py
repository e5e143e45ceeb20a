"""The way through a gate for those who have time: jobs out of the queue take the slots that no live request wants.

They stand in a line of their own, beside the policy's, by the places that their callers' turns give them: workers take
up many jobs of one caller before the first of another comes. Only its head looks, whenever something has moved at the
gate, and may begin where a live request would begin at once and none waits. So they never come before a live request,
and there are never more tries than the policy allows.
"""

import asyncio
from contextlib import suppress

from spillway.services.gate import Entry, Gate

LOOK_EVERY_S = 0.5
"""A slot may come free without anything happening here: other instances have jobs too."""


async def enter_patiently(gate: Gate, within_s: float, *, insist: bool = False, place: str = "") -> Entry:
    """Where somebody patient goes, after `within_s` seconds at most. Whoever can go elsewhere gives up at once when
    the subnet is down or rests; who insists stays, lets those behind pass meanwhile, and is its probe when one is due.
    """
    if not insist and (reason := gate.barred()):
        return gate.turn_away(reason)
    try:
        async with asyncio.timeout(within_s):
            return await _in_line(gate, place, insist=insist)
    except TimeoutError:
        return gate.turn_away("overtime")


async def _in_line(gate: Gate, place: str, *, insist: bool) -> Entry:
    while True:
        async with gate.line.head(place):
            entry = await _first(gate, insist=insist)
        if entry is not None:
            return entry
        await asyncio.sleep(LOOK_EVERY_S)


async def _first(gate: Gate, *, insist: bool) -> Entry | None:
    """The first of the line; None where it steps aside because the subnet is shut just now."""
    while True:
        gate.moved.clear()
        if entry := gate.at_once():
            return entry
        if reason := gate.shut():
            return None if insist and reason != "capped" else gate.turn_away(reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await gate.moved.wait()
