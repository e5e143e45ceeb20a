"""Predictions are created without waiting, found again by whoever has their ids, and told of as they go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Fault, ReplicateApi
from spillway.adapters.http import HttpPool
from spillway.adapters.media_http import HttpMedia
from spillway.adapters.replicate_client import ReplicateClient
from spillway.adapters.replicate_outputs import ReplicateOutputs
from spillway.adapters.replicate_predictions import ReplicatePredictions, progress_in
from spillway.domain.pipelines import PIPELINES
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback
from spillway.edge.requests import json_request
from spillway.errors import BackendFailed, ContentRefused, NoCapacity, Overflow, SpillwayError, TooSlow
from spillway.ports.running import Look, Predictions

FLUX = Fallback(
    provider="replicate",
    model="black-forest-labs/flux-schnell",
    outputs_per_job=1,
    input={"prompt": "{prompt}", "seed": "{seed}", "num_outputs": "{num_images}", "output_format": "png"},
)


def pictures(count: int = 1, seed: int = 7) -> InferenceRequest:
    """Small pictures."""
    return json_request(PIPELINES["text-to-image"], {"prompt": "a river", "seed": seed, "num_images_per_prompt": count})


@asynccontextmanager
async def replicate(*, base_url: str | None = None, **options: Any) -> AsyncIterator[tuple[ReplicateApi, Predictions]]:
    """A stand-in and the adapter on top."""
    api = ReplicateApi(**{"service_s": 0.1, **options})
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(api.serve())
        pool, public = HttpPool(), HttpPool()
        stack.push_async_callback(pool.aclose)
        stack.push_async_callback(public.aclose)
        client = ReplicateClient(pool, token=api.token, base_url=base_url or api.url)
        media = HttpMedia(pool, public, trusted=["127.0.0.1"], allow_private=True)
        yield api, ReplicatePredictions(client, ReplicateOutputs(media))


async def ended(
    predictions: Predictions, ids: tuple[str, ...], request: InferenceRequest
) -> tuple[Look, list[float | None]]:
    """Look until it is over: the last look, and what was told of the progress before."""
    told = []
    async with asyncio.timeout(10.0):
        while not (look := await predictions.look(ids, request, FLUX)).over:
            told.append(look.progress)
            await asyncio.sleep(0.02)
    return look, told


async def test_a_start_does_not_wait_and_whoever_has_the_ids_finds_the_result() -> None:
    async with replicate(service_s=0.5) as (api, predictions):
        ids = await predictions.start(pictures(), FLUX, limit_s=60, hook=None)
        assert [one.status for one in api.predictions.values()] == ["processing"]
        look, told = await ended(predictions, ids, pictures())
        assert look.result is not None
        assert [image["seed"] for image in look.result.body["images"]] == [7]
        assert (told[0], told[-1], sorted(told, key=lambda one: one or 0)) == (None, 0.5, told)


async def test_more_pictures_than_one_prediction_gives_are_several_predictions() -> None:
    async with replicate() as (api, predictions):
        request = pictures(3)
        assert predictions.parts(request, FLUX) == 3
        ids = await predictions.start(request, FLUX, limit_s=60, hook=None)
        look, _ = await ended(predictions, ids, request)
        assert look.result is not None
        assert (len(set(ids)), len(api.predictions)) == (3, 3)
        assert [image["seed"] for image in look.result.body["images"]] == [7, 8, 9]


async def test_where_one_of_several_is_refused_the_others_are_canceled() -> None:
    async with replicate(service_s=5.0, faults=[Fault("status", status=429, times=1)]) as (api, predictions):
        with pytest.raises(NoCapacity):
            await predictions.start(pictures(3), FLUX, limit_s=60, hook=None)
        assert [one.status for one in api.predictions.values()] == ["canceled", "canceled"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("failed", BackendFailed), ("nsfw", ContentRefused), ("canceled", TooSlow), ("aborted", TooSlow)],
)
async def test_an_end_without_success_is_told_as_what_it_is(kind: Any, error: type[SpillwayError]) -> None:
    async with replicate(faults=[Fault(kind)]) as (_, predictions):
        ids = await predictions.start(pictures(), FLUX, limit_s=60, hook=None)
        look, _ = await ended(predictions, ids, pictures())
        assert (type(look.error), look.result) == (error, None)


async def test_what_is_cold_has_not_begun() -> None:
    async with replicate(official_warm=False, cold_start_s=0.4) as (_, predictions):
        ids = await predictions.start(pictures(), FLUX, limit_s=60, hook=None)
        assert not (await predictions.look(ids, pictures(), FLUX)).begun
        look, _ = await ended(predictions, ids, pictures())
        assert look.result is not None


async def test_what_is_canceled_ends_and_canceling_twice_does_no_harm() -> None:
    async with replicate(service_s=30.0) as (api, predictions):
        ids = await predictions.start(pictures(2), FLUX, limit_s=60, hook=None)
        await predictions.cancel(ids)
        await predictions.cancel(ids)
        assert [one.status for one in api.predictions.values()] == ["canceled"] * 2


async def test_a_provider_that_can_not_be_asked_says_nothing_of_its_predictions(tmp_path: Path) -> None:
    async with replicate() as (api, predictions):
        ids = await predictions.start(pictures(), FLUX, limit_s=60, hook=None)
        api.outage()
        with pytest.raises(Overflow):
            await predictions.look(ids, pictures(), FLUX)
        await predictions.cancel(ids)


async def test_the_provider_is_told_how_long_it_may_take_and_where_to_report() -> None:
    async with replicate() as (api, predictions):
        await predictions.start(pictures(), FLUX, limit_s=90, hook="http://127.0.0.1:9/hooks/replicate?job=a&run=2")
        [prediction] = api.predictions.values()
        assert (prediction.cancel_after_s, prediction.webhook) == (91, "http://127.0.0.1:9/hooks/replicate?job=a&run=2")
        assert prediction.webhook_events == {"start", "completed"}


@pytest.mark.parametrize(
    ("logs", "part"),
    [
        ("", None),
        ("Using seed 7\n", None),
        (" 25%|██▌       | 1/4 [00:00<00:00, 4.00it/s]\n 50%|█████     | 2/4\n", 0.5),
        ("Progress: 12.5 %", 0.125),
        ("200%", 1.0),
    ],
)
def test_the_last_percentage_of_a_log_is_the_progress(logs: str, part: float | None) -> None:
    assert progress_in(logs) == part


@given(st.text())
def test_no_log_is_too_odd(logs: str) -> None:
    assert progress_in(logs) is None or 0.0 <= (progress_in(logs) or 0.0) <= 1.0
