"""Replicate's HTTP API, through its own Python package: predictions created, looked at and canceled, files sent.

The package can't carry all that the API takes, and its time limits break under load: our transport under it brings the
pool, the limits and the headers. Its errors are translated here.
"""

import asyncio
import base64
import mimetypes
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic.v1 import ValidationError
from replicate.client import Client
from replicate.exceptions import ReplicateError, ReplicateException
from replicate.prediction import Prediction

from spillway.adapters.http import UNBOUNDED, HttpPool, retry_after, translated
from spillway.domain.guidance import ByModel
from spillway.domain.inputs import fill, fit, split, values
from spillway.domain.outcomes import hosted_outcome, is_refusal
from spillway.domain.requests import InferenceRequest, Upload
from spillway.domain.routes import Fallback
from spillway.errors import BackendFailed, BrokenAnswer, ContentRefused, SpillwayError, TooSlow

BACKEND = "replicate"
UNFINISHED = ("starting", "processing")
IN_LINE = 256 * 1024
LARGEST_SEED = 2**31 - 1
CANCEL_WITHIN_S = 10.0


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
def replicated(cancel_after_s: int = 0) -> Iterator[None]:
    """Turn the package's errors into outcomes. It can't read the status "aborted": that is a ValidationError."""
    exchange = _Exchange(cancel_after_s)
    _EXCHANGE.set(exchange)
    try:
        with translated(BACKEND):
            yield
    except ReplicateError as error:
        raise _outcome(error, exchange.retry_after_s) from error
    except ReplicateException as error:
        raise BackendFailed(f"{BACKEND}: {error}"[:300]) from error
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise BrokenAnswer(f"{BACKEND} gave an answer that is no prediction") from error


def _outcome(error: ReplicateError, after: float | None) -> SpillwayError:
    message = str(error.detail or error.title or "no reason given")
    return hosted_outcome(error.status or 500, message, retry_after_s=after)


class ReplicateClient:
    """Predictions at Replicate. `token` goes to its own hosts only; `by_model` says which deployments aren't used."""

    def __init__(self, pool: HttpPool, *, token: str, base_url: str, by_model: ByModel | None = None):
        self._token, self._by_model = token, by_model or ByModel()
        self._host = urlsplit(base_url).hostname or ""
        self._api = Client(api_token=token, base_url=base_url, transport=_Transport(pool))

    def may_have_token(self, url: str) -> bool:
        """Whether an address is one of Replicate's own."""
        host = urlsplit(url).hostname or ""
        return host == self._host or host.endswith(".replicate.com")

    @property
    def authorization(self) -> str:
        """The header that Replicate's own hosts want."""
        return f"Bearer {self._token}"

    async def start(self, target: Fallback, inputs: dict[str, Any], *, cancel_after_s: int, **how: Any) -> Prediction:
        """Create a prediction, once. Replicate ends it after `cancel_after_s` seconds, unbilled if it never ran."""
        owner_name, _, version = target.model.partition(":")
        with replicated(cancel_after_s):
            if target.deployment and target.place not in self._by_model.places:
                return await self._api.deployments.predictions.async_create(target.deployment, input=inputs, **how)
            if version:
                return await self._api.predictions.async_create(version=version, input=inputs, **how)
            return await self._api.models.predictions.async_create(owner_name, input=inputs, **how)

    async def look(self, prediction_id: str) -> Prediction | None:
        """A prediction as it is now; None for one that was aborted: that is a status which the package can't read."""
        with replicated():
            try:
                return await self._api.predictions.async_get(prediction_id)
            except ValidationError:
                return None

    async def reload(self, prediction: Prediction) -> None:
        """The same, into what is known of it."""
        with replicated():
            await prediction.async_reload()

    async def cancel(self, prediction_id: str) -> None:
        """End a prediction, where it has not ended."""
        with replicated():
            await self._api.predictions.async_cancel(prediction_id)

    async def end(self, prediction_id: str) -> None:
        """Cancel it within some seconds, or leave it: then Cancel-After ends it."""
        with suppress(SpillwayError, TimeoutError):
            async with asyncio.timeout(CANCEL_WITHIN_S):
                await self.cancel(prediction_id)

    async def inputs(self, request: InferenceRequest, target: Fallback, seed: int) -> list[dict[str, Any]]:
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
            with replicated():
                file = await self._api.files.async_create(
                    content, filename=upload.filename or "file", content_type=content_type
                )
            return str(file.urls["get"])


def outcome_of(prediction: Prediction) -> SpillwayError | None:
    """What the end of a prediction stands for; None for success."""
    if prediction.status == "succeeded":
        return None
    if prediction.status == "failed":
        return model_failed(str(prediction.error or ""))
    return TooSlow(f"the prediction was {prediction.status}")


def model_failed(message: str) -> SpillwayError:
    """What a model's own words stand for."""
    if is_refusal(message):
        return ContentRefused(message)
    return BackendFailed(f"the model failed: {message}"[:300])


def seed_of(request: InferenceRequest) -> int:
    """The request's seed, or one of our own: some models have a constant default, and answers must name theirs."""
    given = request.params.get("seed")
    return given % (LARGEST_SEED + 1) if isinstance(given, int) else random.randint(0, LARGEST_SEED)


def cancel_after(timeout_s: float) -> int:
    """Replicate takes 5 s at the least."""
    return max(5, int(timeout_s) + 1)


def model_name(target: Fallback) -> str:
    """Without its version."""
    return target.model.partition(":")[0]


def _content_type(upload: Upload) -> str:
    if upload.content_type not in ("", "application/octet-stream"):
        return upload.content_type
    return mimetypes.guess_type(upload.filename)[0] or "application/octet-stream"
