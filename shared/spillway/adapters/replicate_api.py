"""Hosted inference on Replicate, through its own Python package.

A prediction is created once. `Cancel-After` bounds it where we could not (Replicate then aborts it unbilled), and it is
cancelled when its request ends early: the caller left, or its time is over.
"""

import asyncio
import base64
import mimetypes
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic.v1 import ValidationError
from replicate.client import Client
from replicate.exceptions import ReplicateError, ReplicateException
from replicate.prediction import Prediction

from spillway.adapters.http import UNBOUNDED, HttpPool, headers, retry_after, translated
from spillway.adapters.replicate_outputs import ReplicateOutputs
from spillway.domain import chat
from spillway.domain.answers import check
from spillway.domain.event_stream import EventDecoder
from spillway.domain.inputs import fill, fit, split, values
from spillway.domain.outcomes import hosted_outcome, is_refusal
from spillway.domain.requests import InferenceRequest, Upload
from spillway.domain.routes import Fallback
from spillway.errors import BackendFailed, BrokenAnswer, ContentRefused, SpillwayError, TooSlow
from spillway.ports import Chunks, Media, Result

BACKEND = "replicate"
# Long enough for the fast models to answer at once; short enough that a prediction whose caller leaves is soon known
# by its id and can be cancelled.
WAIT_S = 5
FIRST_POLL_S, LONGEST_POLL_S = 0.25, 2.0
IN_LINE = 256 * 1024
CANCEL_WITHIN_S = 10.0
CLOSE_WITHIN_S = 2.0
LARGEST_SEED = 2**31 - 1


@dataclass(slots=True)
class _Exchange:
    """What the package can't carry: a header in, a header out."""

    cancel_after_s: int
    retry_after_s: float | None = None


_EXCHANGE: ContextVar[_Exchange | None] = ContextVar("replicate_exchange", default=None)


class _Transport(httpx.AsyncBaseTransport):
    """Under the package's client: our pool, our time limits (the package's own break under load), our headers."""

    def __init__(self, pool: HttpPool):
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _EXCHANGE.get()
        request.extensions = {**request.extensions, **UNBOUNDED}
        request.headers["accept-encoding"] = "identity"
        if exchange and request.method == "POST" and request.url.path.endswith("/predictions"):
            request.headers["cancel-after"] = f"{exchange.cancel_after_s}s"
        response = await self._pool.handle_async_request(request)
        if exchange and response.status_code >= 400:
            exchange.retry_after_s = retry_after(response.headers)
        return response


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the package's errors into outcomes. It can't read the status "aborted": that is a ValidationError."""
    try:
        with translated(BACKEND):
            yield
    except ReplicateError as error:
        raise _outcome(error) from error
    except ReplicateException as error:
        raise BackendFailed(f"{BACKEND}: {error}"[:300]) from error
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise BrokenAnswer(f"{BACKEND} gave an answer that is no prediction") from error


def _outcome(error: ReplicateError) -> SpillwayError:
    exchange = _EXCHANGE.get()
    after = exchange.retry_after_s if exchange else None
    message = str(error.detail or error.title or "no reason given")
    return hosted_outcome(error.status or 500, message, retry_after_s=after)


class ReplicateApi:
    """Adapter of ports.Inference for fallbacks whose provider is Replicate."""

    def __init__(self, name: str, pool: HttpPool, media: Media, *, token: str, base_url: str):
        self._pool = pool
        self._token = token
        self._host = urlsplit(base_url).hostname or ""
        self._api = Client(api_token=token, base_url=base_url, transport=_Transport(pool))
        self._outputs = ReplicateOutputs(media)
        self._abandoned: set[asyncio.Task[None]] = set()

    async def infer(self, request: InferenceRequest, target: Fallback, timeout_s: float) -> Result:
        """One whole answer; more pictures than one prediction gives are made by several at once."""
        _EXCHANGE.set(_Exchange(cancel_after_s=_cancel_after(timeout_s)))
        seed = _seed(request)
        inputs = await self._inputs(request, target, seed)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._predict(target, one)) for one in inputs]
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        predictions = [task.result() for task in tasks]
        body = await self._outputs.answer(request, predictions, seed=seed)
        return Result(check(body, request, BACKEND), _name(target))

    async def stream(self, request: InferenceRequest, target: Fallback, timeout_s: float) -> Chunks:
        """Words as the model says them; a model that can't stream gives all of them at once."""
        _EXCHANGE.set(_Exchange(cancel_after_s=_cancel_after(request_deadline(timeout_s))))
        [inputs] = await self._inputs(request, target, _seed(request))
        prediction = await self._create(target, inputs, stream=True)
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

    async def _inputs(self, request: InferenceRequest, target: Fallback, seed: int) -> list[dict[str, Any]]:
        """The input of each prediction: seeds go on where the one before ends."""
        files = {name: await self._file(upload) for name, upload in request.uploads.items()}
        made, first = [], 0
        for pictures in split(request.pictures, target.outputs_per_job):
            params = {
                **request.params,
                **files,
                "seed": (seed + first) % (LARGEST_SEED + 1),
                "num_images_per_prompt": pictures,
            }
            filled = fill(target.input, values(target.placeholders, params))
            made.append(fit(filled, target.limits, target.multiples))
            first += pictures
        return made

    async def _file(self, upload: Upload) -> str:
        """A data URL for a small file, the address of an upload for a large one."""
        content_type = _content_type(upload)
        with upload.open() as content:
            if upload.size <= IN_LINE:
                return f"data:{content_type};base64,{base64.b64encode(content.read()).decode()}"
            with _translated():
                file = await self._api.files.async_create(
                    content, filename=upload.filename or "file", content_type=content_type
                )
            return str(file.urls["get"])

    async def _predict(self, target: Fallback, inputs: dict[str, Any]) -> Prediction:
        prediction = await self._create(target, inputs)
        try:
            return await self._finished(prediction)
        except BaseException:
            self._abandon(prediction)
            raise

    async def _create(self, target: Fallback, inputs: dict[str, Any], *, stream: bool = False) -> Prediction:
        """Start a prediction. One whose caller leaves meanwhile is waited for in the background, then cancelled."""
        creating = asyncio.ensure_future(self._start(target, inputs, stream=stream))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            self._background(self._cancel_when_created(creating))
            raise

    async def _start(self, target: Fallback, inputs: dict[str, Any], *, stream: bool) -> Prediction:
        how: dict[str, Any] = {"stream": True} if stream else {"wait": WAIT_S}
        owner_name, _, version = target.model.partition(":")
        with _translated():
            if target.deployment:
                return await self._api.deployments.predictions.async_create(target.deployment, input=inputs, **how)
            if version:
                return await self._api.predictions.async_create(version=version, input=inputs, **how)
            return await self._api.models.predictions.async_create(owner_name, input=inputs, **how)

    async def _finished(self, prediction: Prediction) -> Prediction:
        """Poll, less and less often, until it has ended. Raises what an end without success stands for."""
        pause_s = FIRST_POLL_S
        while prediction.status in ("starting", "processing"):
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)
            with _translated():
                await prediction.async_reload()
        if prediction.status == "succeeded":
            return prediction
        if prediction.status == "failed":
            raise _model_failed(str(prediction.error or ""))
        raise TooSlow(f"the prediction was {prediction.status}")

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
        """The token goes to Replicate's own hosts only."""
        sent = headers(accept="text/event-stream", cache_control="no-store")
        host = urlsplit(url).hostname or ""
        if host == self._host or host.endswith(".replicate.com"):
            sent["authorization"] = f"Bearer {self._token}"
        return sent

    def _abandon(self, prediction: Prediction) -> None:
        if prediction.status in ("starting", "processing"):
            self._background(self._cancel(prediction.id))

    async def _cancel_when_created(self, creating: "asyncio.Future[Prediction]") -> None:
        try:
            async with asyncio.timeout(WAIT_S + CANCEL_WITHIN_S):
                prediction = await creating
        except (SpillwayError, TimeoutError):
            return  # Cancel-After ends what may have been created.
        if prediction.status in ("starting", "processing"):
            await self._cancel(prediction.id)

    async def _cancel(self, prediction_id: str) -> None:
        try:
            async with asyncio.timeout(CANCEL_WITHIN_S):
                with _translated():
                    await self._api.predictions.async_cancel(prediction_id)
        except (SpillwayError, TimeoutError):
            return  # Cancel-After ends it all the same.

    def _background(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


async def _spoken(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The words of Replicate's event stream, up to its `done`. Raises where that never comes."""
    if response.status_code != 200:
        raise hosted_outcome(response.status_code, "no stream")
    decoder = EventDecoder()
    with translated(BACKEND, answered=True):
        async for piece in response.aiter_raw():
            for event in decoder.feed(piece):
                if event.event == "error":
                    raise _model_failed(event.data)
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


def _cancel_after(timeout_s: float) -> int:
    """Replicate takes 5 s at the least."""
    return max(5, int(timeout_s) + 1)


def _seed(request: InferenceRequest) -> int:
    """The request's seed, or one of our own: some models have a constant default, and answers must name theirs."""
    given = request.params.get("seed")
    return given % (LARGEST_SEED + 1) if isinstance(given, int) else random.randint(0, LARGEST_SEED)


def _name(target: Fallback) -> str:
    return target.model.partition(":")[0]


def _model_failed(message: str) -> SpillwayError:
    if is_refusal(message):
        return ContentRefused(message)
    return BackendFailed(f"the model failed: {message}"[:300])


def _content_type(upload: Upload) -> str:
    if upload.content_type not in ("", "application/octet-stream"):
        return upload.content_type
    return mimetypes.guess_type(upload.filename)[0] or "application/octet-stream"


def _chunk(prediction: Prediction, target: Fallback, text: str, *, finish: str | None = None) -> dict[str, Any]:
    return chat.chunk(completion_id=f"chatcmpl-{prediction.id}", model=_name(target), text=text, finish=finish)
