"""Hosted inference on Replicate, through its own Python package.

A prediction is created once. `Cancel-After` bounds it where we could not (Replicate then aborts it unbilled), and it is
cancelled when its request ends early: the caller left, or its time is over.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from replicate.prediction import Prediction

from spillway.adapters.http import Answer, HttpPool, headers, translated
from spillway.adapters.replicate_client import (
    BACKEND,
    CANCEL_WITHIN_S,
    UNFINISHED,
    ReplicateClient,
    cancel_after,
    model_failed,
    model_name,
    outcome_of,
    seed_of,
)
from spillway.adapters.replicate_outputs import ReplicateOutputs
from spillway.domain import chat
from spillway.domain.answers import check
from spillway.domain.event_stream import EventDecoder
from spillway.domain.outcomes import hosted_outcome
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback
from spillway.errors import BrokenAnswer, SpillwayError
from spillway.ports import Chunks, Result

# Long enough for the fast models to answer at once; short enough that a prediction whose caller leaves is soon known
# by its id and can be cancelled.
WAIT_S = 5
FIRST_POLL_S, LONGEST_POLL_S = 0.25, 2.0
CLOSE_WITHIN_S = 2.0


class ReplicateApi:
    """Adapter of ports.Inference for fallbacks whose provider is Replicate."""

    def __init__(self, pool: HttpPool, client: ReplicateClient, outputs: ReplicateOutputs):
        self._pool, self._client, self._outputs = pool, client, outputs
        self._abandoned: set[asyncio.Task[None]] = set()

    async def infer(self, request: InferenceRequest, target: Fallback, timeout_s: float) -> Result:
        """One whole answer; more pictures than one prediction gives are made by several at once."""
        seed, cancel_after_s = seed_of(request), cancel_after(timeout_s)
        inputs = await self._client.inputs(request, target, seed)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._predict(target, one, cancel_after_s)) for one in inputs]
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        predictions = [task.result() for task in tasks]
        body = await self._outputs.answer(request, predictions, seed=seed)
        return Result(check(body, request, BACKEND), model_name(target))

    async def stream(self, request: InferenceRequest, target: Fallback, timeout_s: float) -> Chunks:
        """Words as the model says them; a model that can't stream gives all of them at once."""
        [inputs] = await self._client.inputs(request, target, seed_of(request))
        prediction = await self._create(
            target, inputs, cancel_after_s=cancel_after(request_deadline(timeout_s)), stream=True
        )
        try:
            async with aclosing(self._words(prediction)) as said:
                async for text in said:
                    yield _chunk(prediction, target, text)
            finished = await self._finished(prediction)
        except BaseException:
            self._abandon(prediction)
            raise
        yield {
            **_chunk(finished, target, "", finish=self._outputs.finish(finished, request)),
            "usage": self._outputs.usage(finished),
        }

    async def close(self) -> None:
        """Wait for the cancellations that are under way."""
        if self._abandoned:
            await asyncio.wait(self._abandoned, timeout=CLOSE_WITHIN_S)
            for task in self._abandoned:
                task.cancel()

    async def _predict(self, target: Fallback, inputs: dict[str, Any], cancel_after_s: int) -> Prediction:
        prediction = await self._create(target, inputs, cancel_after_s=cancel_after_s, wait=WAIT_S)
        try:
            return await self._finished(prediction)
        except BaseException:
            self._abandon(prediction)
            raise

    async def _create(self, target: Fallback, inputs: dict[str, Any], **how: Any) -> Prediction:
        """Start a prediction. One whose caller leaves meanwhile is waited for in the background, then cancelled."""
        creating = asyncio.ensure_future(self._client.start(target, inputs, **how))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            self._background(self._cancel_when_created(creating))
            raise

    async def _finished(self, prediction: Prediction) -> Prediction:
        """Poll, less and less often, until it has ended. Raises what an end without success stands for."""
        pause_s = FIRST_POLL_S
        while prediction.status in UNFINISHED:
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)
            await self._client.reload(prediction)
        if error := outcome_of(prediction):
            raise error
        return prediction

    async def _words(self, prediction: Prediction) -> AsyncGenerator[str, None]:
        url = (prediction.urls or {}).get("stream")
        if not url:
            finished = await self._finished(prediction)
            yield self._outputs.text(finished)
            return
        with translated(BACKEND):
            response = await self._pool.send("GET", url, headers=self._stream_headers(url))
        try:
            async with aclosing(_spoken(response)) as spoken:
                async for text in spoken:
                    yield text
        finally:
            await response.aclose()

    def _stream_headers(self, url: str) -> dict[str, str]:
        sent = headers(accept="text/event-stream", cache_control="no-store")
        return {**sent, "authorization": self._client.authorization} if self._client.may_have_token(url) else sent

    def _abandon(self, prediction: Prediction) -> None:
        if prediction.status in UNFINISHED:
            self._background(self._client.end(prediction.id))

    async def _cancel_when_created(self, creating: "asyncio.Future[Prediction]") -> None:
        try:
            async with asyncio.timeout(WAIT_S + CANCEL_WITHIN_S):
                prediction = await creating
        except (SpillwayError, TimeoutError):
            return  # Cancel-After ends what may have been created.
        if prediction.status in UNFINISHED:
            await self._client.end(prediction.id)

    def _background(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


async def _spoken(response: Answer) -> AsyncGenerator[str, None]:
    """The words of Replicate's event stream, up to its `done`. Raises where that never comes."""
    if response.status_code != 200:
        raise hosted_outcome(response.status_code, "no stream")
    decoder = EventDecoder()
    with translated(BACKEND, answered=True):
        async for piece in response.aiter_raw():
            for event in decoder.feed(piece):
                if event.event == "error":
                    raise model_failed(event.data)
                if event.event == "done":
                    if "error" in event.data or "canceled" in event.data:
                        raise BrokenAnswer("the run was given up")
                    return
                if event.event == "output":
                    yield event.data
    raise BrokenAnswer("the stream ended before its end")


def request_deadline(silence_s: float) -> float:
    """A stream's own limit is on its silences; its prediction may run for some of them."""
    return max(60.0, 4 * silence_s)


def _chunk(prediction: Prediction, target: Fallback, text: str, *, finish: str | None = None) -> dict[str, Any]:
    return chat.chunk(completion_id=f"chatcmpl-{prediction.id}", model=model_name(target), text=text, finish=finish)
