"""Puts together the hosted inference that the routes name."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from spillway.adapters.http import HttpPool
from spillway.domain.guidance import ByModel
from spillway.domain.routes import Fallback, Routes
from spillway.errors import BadSettings
from spillway.ports import Inference, Media
from spillway.ports.running import Predictions
from spillway.services.on_demand import InferenceOnDemand, OnDemand
from spillway.settings import Settings

log = logging.getLogger("spillway")


@dataclass(frozen=True, slots=True)
class _Replicate:
    inference: Inference[Fallback]
    predictions: Predictions


@dataclass(slots=True)
class Hosting:
    """The providers that can be used, by name: for requests, and those that start jobs and tell an id."""

    inference: dict[str, Inference[Fallback]] = field(default_factory=dict)
    replicate: dict[str, OnDemand[_Replicate]] = field(default_factory=dict)

    def predictions(self) -> Mapping[str, Predictions]:
        """For those who run jobs. Loads the clients."""
        return {name: one.now().predictions for name, one in self.replicate.items()}


def hosting(settings: Settings, routes: Routes, pool: HttpPool, media: Media, by_model: ByModel) -> Hosting:
    """Replicate where there is a token, OpenAI-compatible ones always. Raises BadSettings."""
    found = Hosting()
    for name, provider in routes.providers.items():
        if provider.kind == "openai":
            found.inference[name] = _openai(name, provider.base_url, provider.api_key_env, pool)
        elif settings.replicate_api_token:
            token = settings.replicate_api_token.get_secret_value()
            found.replicate[name] = OnDemand(partial(_replicate, settings, token, pool, media, by_model))
            found.inference[name] = InferenceOnDemand(OnDemand(partial(_inference_of, found.replicate[name])))
        else:
            log.warning("REPLICATE_API_TOKEN is not set: no request falls back to the provider %r", name)
    return found


def _inference_of(replicate: OnDemand[_Replicate]) -> Inference[Fallback]:
    return replicate.now().inference


def _replicate(settings: Settings, token: str, pool: HttpPool, media: Media, by_model: ByModel) -> _Replicate:
    from spillway.adapters.replicate_api import ReplicateApi  # noqa: PLC0415 (only where it is used)
    from spillway.adapters.replicate_client import ReplicateClient  # noqa: PLC0415 (only where it is used)
    from spillway.adapters.replicate_outputs import ReplicateOutputs  # noqa: PLC0415 (only where it is used)
    from spillway.adapters.replicate_predictions import ReplicatePredictions  # noqa: PLC0415 (only where it is used)

    client = ReplicateClient(pool, token=token, base_url=settings.replicate_url, by_model=by_model)
    outputs = ReplicateOutputs(media)
    return _Replicate(ReplicateApi(pool, client, outputs), ReplicatePredictions(client, outputs))


def _openai(name: str, base_url: str | None, key_env: str | None, pool: HttpPool) -> Inference[Fallback]:
    from spillway.adapters.openai_api import OpenAiApi  # noqa: PLC0415 (only where it is used)

    if not base_url:
        raise BadSettings(f"the provider {name!r} needs a base_url")
    key = os.environ.get(key_env) if key_env else None
    if key_env and not key:
        raise BadSettings(f"the provider {name!r} takes its key from {key_env}, which is not set")
    return OpenAiApi(name, pool, base_url=base_url, api_key=key)
