"""Routes: which subnet path serves a pipeline and model, and which hosted models take over."""

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from spillway.domain.inputs import PLACEHOLDERS, placeholders_in
from spillway.domain.pace import first_guess
from spillway.domain.pipelines import PIPELINES
from spillway.errors import BadSettings

QUEUE_LIMIT_S, VIDEO_QUEUE_LIMIT_S = 60.0, 300.0


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Provider(_Table):
    """Where hosted inference is bought. `base_url` and `api_key_env` are for OpenAI-compatible APIs."""

    kind: Literal["replicate", "openai"]
    base_url: str | None = None
    api_key_env: str | None = None


class Fallback(_Table):
    """A hosted model that can stand in for a subnet model.

    `deployment` can be scaled by the balancer: `usd_per_warm_second` and `cold_start` (seconds) say what it is worth
    to keep up to `max_instances` of it warm; `billed` whether idle instances alone are paid by the second ("kept"),
    or all that are online.

    `limits` clamps a number to what the model takes, `multiples` rounds it; `outputs_per_job` splits a request for
    more pictures than one job gives; `context_tokens` is the model's window, where it is larger than the subnet's.
    """

    provider: str
    model: str
    usd_per_job: float = Field(default=0.0, ge=0)
    deployment: str | None = None
    input: Mapping[str, Any] = Field(default_factory=dict)
    limits: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    multiples: Mapping[str, int] = Field(default_factory=dict)
    outputs_per_job: int = Field(default=1, ge=1)
    context_tokens: int | None = Field(default=None, ge=1)
    timeout: float | None = Field(default=None, gt=0)
    usd_per_warm_second: float = Field(default=0.001, ge=0)
    cold_start: float = Field(default=60.0, ge=0)
    max_instances: int = Field(default=4, ge=1)
    billed: Literal["kept", "online"] = "online"

    @property
    def place(self) -> str:
        """What is paid and scaled there, as a name for people and for counters."""
        return f"{self.provider} {self.deployment or self.model}"

    def price_usd(self, pictures: int) -> float:
        """What a request for so many pictures is counted as."""
        return pictures * self.usd_per_job

    @cached_property
    def placeholders(self) -> frozenset[str]:
        """What the input asks of a request."""
        return placeholders_in(self.input)

    @field_validator("input")
    @classmethod
    def _known_placeholders(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in placeholders_in(value):
            if name not in PLACEHOLDERS:
                near = difflib.get_close_matches(name, PLACEHOLDERS, 1)
                raise ValueError(f"unknown placeholder {{{name}}}" + (f", did you mean {{{near[0]}}}?" if near else ""))
        return value


class Route(_Table):
    """How one pipeline and model is served. Times are in seconds, prices in USD.

    A job waits up to `queue_limit` for the subnet; no more jobs are taken in where `queue_jobs` wait for one model, or
    where a new one would wait longer than `queue_seconds`.
    """

    pipeline: str
    model: str = "*"
    deadline: float = Field(default=60.0, gt=0)
    subnet_timeout: float = Field(default=20.0, gt=0)
    subnet_path: str | None = Field(default=None, pattern=r"^/")
    usd_per_try: float = Field(default=0.0, ge=0)
    usd_per_second: float = Field(default=0.0002, ge=0)
    stream: Literal["live", "whole"] = "live"
    context_tokens: int | None = Field(default=None, ge=1)
    queue_limit: float | None = Field(default=None, ge=0)
    queue_jobs: int = Field(default=1000, ge=1)
    queue_seconds: float = Field(default=3600.0, gt=0)
    fallbacks: tuple[Fallback, ...] = ()
    burst: Any = None
    """A BurstTerms, or None."""

    @field_validator("burst", mode="before")
    @classmethod
    def _burst_terms(cls, value: Any) -> Any:
        if value is None:
            return None
        from spillway.domain.burst_terms import BurstTerms  # noqa: PLC0415 (12 ms, and most routes have none)

        return BurstTerms.model_validate(value)

    @model_validator(mode="after")
    def _bursts_for_one_model(self) -> "Route":
        if self.burst and self.model == "*":
            raise ValueError('a [routes.burst] table needs a model by name, not "*": machines are made for one model')
        return self

    @field_validator("pipeline")
    @classmethod
    def _known_pipeline(cls, value: str) -> str:
        if value not in PIPELINES:
            near = difflib.get_close_matches(value, PIPELINES, 1)
            raise ValueError(f"unknown pipeline {value!r}" + (f", did you mean {near[0]!r}?" if near else ""))
        return value

    @field_validator("deadline", "subnet_timeout", "queue_limit", "queue_seconds")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("must be a finite number of seconds")
        return value

    @property
    def hosted_usd(self) -> float:
        """What a hosted job costs, at the first fallback; 0 where there is none."""
        return self.fallbacks[0].usd_per_job if self.fallbacks else 0.0

    @property
    def usual_s(self) -> float:
        """How long a job takes that nothing is known of yet, in seconds."""
        return first_guess(self.pipeline)[0]

    @property
    def queue_limit_s(self) -> float:
        """How long a job waits for the subnet before it goes to hosted inference."""
        if self.queue_limit is not None:
            return self.queue_limit
        return VIDEO_QUEUE_LIMIT_S if PIPELINES[self.pipeline].gives == "video" else QUEUE_LIMIT_S

    def lane(self, model: str) -> str:
        """The queue in which jobs of a model stand; a model's gate has the same name."""
        return f"{self.pipeline} {model if self.model == '*' else self.model}"

    @property
    def path(self) -> str:
        """The path of the try on the subnet gateway."""
        return self.subnet_path or PIPELINES[self.pipeline].path


class RoutesFile(_Table):
    """The file as it is written."""

    providers: Mapping[str, Provider] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()


class Routes:
    """All routes in force, found by pipeline and model."""

    def __init__(self, providers: Mapping[str, Provider], routes: Iterable[Route]):
        self.providers = dict(providers)
        self._by_key = {(route.pipeline, route.model): route for route in routes}
        for route in self._by_key.values():
            for fallback in route.fallbacks:
                if fallback.provider not in self.providers:
                    raise BadSettings(
                        f"route {route.pipeline} {route.model}: fallback names the provider {fallback.provider!r}, "
                        f"which has no [providers.{fallback.provider}] table"
                    )

    def find(self, pipeline: str, model: str) -> Route:
        """The model's own route, else the pipeline's "*", else one without fallbacks."""
        return (
            self._by_key.get((pipeline, model))
            or self._by_key.get((pipeline, "*"))
            or Route(pipeline=pipeline, model="*")
        )

    def names(self, pipeline: str, model: str) -> bool:
        """Whether a route was written for just this model."""
        return (pipeline, model) in self._by_key

    def models(self, pipeline: str) -> list[str]:
        """The models of a pipeline that can be asked for by name."""
        named = [m for (p, m) in self._by_key if p == pipeline and m != "*"]
        return sorted({PIPELINES[pipeline].default_model, *named})

    def __iter__(self) -> Any:
        return iter(self._by_key.values())


def parse_routes(text: str, *, source: str) -> RoutesFile:
    """Read a routes file; `source` names it in errors. Raises BadSettings."""
    try:
        return RoutesFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{source} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"{source}: {where}: {first['msg']}") from error


def with_builtin(own: RoutesFile, builtin: RoutesFile) -> Routes:
    """Own routes, and the built-in ones of every pipeline that the own file doesn't name."""
    named = {route.pipeline for route in own.routes}
    kept = [route for route in builtin.routes if route.pipeline not in named]
    return Routes({**builtin.providers, **own.providers}, [*kept, *own.routes])
