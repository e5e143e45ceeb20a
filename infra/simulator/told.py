"""A prediction told as server-sent events: output, logs, error, done, as Replicate's streaming format has them."""

import asyncio
import json
from collections.abc import AsyncIterator

from aiohttp import web

from simulator.faults import Fault
from simulator.predictions import Prediction
from simulator.reply import BEFORE_RESET_S, EVENTS, RUBBISH, drop, forever

REASONS = {"failed": "error", "canceled": "canceled", "aborted": "canceled"}


async def tell_events(request: web.Request, prediction: Prediction, fault: Fault | None) -> web.StreamResponse:
    """Send what is there, then what comes; a fault strikes after the third word."""
    response = web.StreamResponse(headers=EVENTS)
    await response.prepare(request)
    kind = fault.kind if fault is not None else None
    sent = 0
    async for event, data in _events(prediction):
        if event == "done" and kind == "no_end_marker":
            break
        if sent == 3 and kind in {"cut", "clean_cut", "stall", "malformed_chunk"}:
            if kind == "clean_cut":
                break
            await _break(request, response, kind)
        sent += 1
        lines = "".join(f"data: {line}\n" for line in data.split("\n"))
        await response.write(f"event: {event}\nid: {sent}:0\n{lines}\n".encode())
    await response.write_eof()
    return response


async def _events(prediction: Prediction) -> AsyncIterator[tuple[str, str]]:
    told = 0
    logged = 0
    while True:
        done, changed = prediction.done, prediction.changed
        for piece in _pieces(prediction)[told:]:
            told += 1
            yield "output", piece
        if len(prediction.logs) > logged:
            yield "logs", prediction.logs[logged:]
            logged = len(prediction.logs)
        if done:
            break
        await changed.wait()
    if prediction.status == "failed":
        yield "error", json.dumps({"detail": prediction.error})
    reason = REASONS.get(prediction.status)
    yield "done", json.dumps({} if reason is None else {"reason": reason})


def _pieces(prediction: Prediction) -> list[str]:
    output = prediction.output
    if isinstance(output, list):
        return [str(piece) for piece in output]
    return [] if output is None else [output if isinstance(output, str) else json.dumps(output)]


async def _break(request: web.Request, response: web.StreamResponse, kind: str) -> None:
    if kind == "stall":
        await forever()
    if kind == "cut":
        await asyncio.sleep(BEFORE_RESET_S)
        await drop(request, reset=True)
    await response.write(RUBBISH)
