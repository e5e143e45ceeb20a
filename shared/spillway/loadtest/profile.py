"""Profiles of a load test: which pipelines, how fast they come, and when enough has been seen. Seconds throughout.

Two are built in, after the first network's own tests: `low` is the load of an ordinary day, `high` rises step by step
until something gives way, then holds more than that for a while, so that what the subnet carries can be read off.
"""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from spillway.domain.pipelines import PIPELINES
from spillway.errors import BadSettings


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Load(_Table):
    """One pipeline's part: `weight` of all requests; `fields` are sent with each, beside a prompt where one is due."""

    name: str
    model: str | None = None
    weight: float = Field(default=1.0, gt=0)
    fields: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PIPELINES:
            raise ValueError(f"is no pipeline; the pipelines are {', '.join(PIPELINES)}")
        return value


class Rise(_Table):
    """Steps of `seconds` each: from `rate` requests a second, `factor` times as many in every next, `most` at most.

    The change from one step to the next takes `ramp` of its seconds; those aren't measured.
    """

    rate: float = Field(gt=0)
    factor: float = Field(default=1.0, ge=1.0, le=10.0)
    steps: int = Field(default=1, ge=1, le=100)
    seconds: float = Field(gt=0)
    ramp: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _measured(self) -> "Rise":
        if self.ramp >= self.seconds:
            raise ValueError("`ramp` must be shorter than `seconds`: what comes on the ramp isn't measured")
        return self


class Limits(_Table):
    """What counts as having given way, in any pipeline: fewer answers than this part, fewer from the subnet, slower."""

    success: float = Field(default=0.95, ge=0, le=1)
    subnet_share: float = Field(default=0.75, ge=0, le=1)
    p95: float | None = Field(default=None, gt=0)


class Profile(_Table):
    """A load test. After the first step that gives way, `beyond` more are made at `over` times its rate each."""

    name: str = Field(min_length=1)
    seed: int = 0
    deadline: float = Field(default=120.0, gt=0)
    warm_up: float = Field(default=5.0, ge=0)
    most_in_flight: int = Field(default=2000, ge=1)
    rise: Rise
    limits: Limits = Limits()
    beyond: int = Field(default=2, ge=0, le=10)
    over: float = Field(default=1.5, ge=1.0, le=10.0)
    pipeline: tuple[Load, ...] = Field(min_length=1)

    def part(self, load: Load) -> float:
        """A pipeline's part of all requests."""
        return load.weight / sum(other.weight for other in self.pipeline)


_PICTURES = {"name": "text-to-image", "weight": 4, "fields": {"width": 512, "height": 512}}
_VIDEOS = {"name": "image-to-video", "weight": 1}
BUILT_IN = {
    "low": {
        "name": "low",
        "deadline": 300,
        "warm_up": 10,
        "rise": {"rate": 0.25, "steps": 4, "seconds": 30},
        "pipeline": [_PICTURES, _VIDEOS],
    },
    "high": {
        "name": "high",
        "deadline": 300,
        "warm_up": 10,
        "rise": {"rate": 0.5, "factor": 1.4, "steps": 16, "seconds": 40, "ramp": 8},
        "pipeline": [_PICTURES, _VIDEOS],
    },
}


def load_profile(name: str) -> Profile:
    """A built-in profile, or the one in a TOML file. Raises BadSettings with one line that says what to change."""
    if name in BUILT_IN:
        return Profile.model_validate(BUILT_IN[name])
    try:
        return Profile.model_validate(tomllib.loads(Path(name).read_text()))
    except OSError as error:
        raise BadSettings(f"--profile {name}: use {' or '.join(BUILT_IN)}, or name a TOML file that exists") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"--profile {name} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"--profile {name}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
