"""Scenario files: what comes, what the subnet can carry, what goes wrong and what it costs. Seconds and USD."""

import difflib
import itertools
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from spillway.errors import BadSettings

FaultKind = Literal["hang", "error", "refuse", "reset", "slow", "outage"]
Steps = tuple[tuple[float, float], ...]
MOST_REQUESTS = 10_000_000


def _in_order(steps: Steps) -> Steps:
    if not steps:
        raise ValueError("needs at least one [second, value]")
    if any(not math.isfinite(second) or not math.isfinite(value) or value < 0 for second, value in steps):
        raise ValueError("seconds and values must be finite, values not negative")
    if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(steps)):
        raise ValueError("the seconds must rise")
    return steps


Curve = Annotated[Steps, AfterValidator(_in_order)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class Service(_Table):
    """How long a job takes: lognormal."""

    median: float = Field(gt=0)
    sigma: float = Field(default=0.0, ge=0, le=4)


class FaultWindow(_Table):
    """From one second to another each try has the fault with this probability."""

    begin: float = Field(alias="from", ge=0)
    end: float = Field(alias="to", ge=0)
    kind: FaultKind
    probability: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _forwards(self) -> "FaultWindow":
        if self.end < self.begin:
            raise ValueError("`to` must not be before `from`")
        return self


class Hosted(_Table):
    """Hosted inference: an instance that was idle for 60 s is cold and adds `cold_start`."""

    seconds: float = Field(default=4.0, gt=0)
    cold_start: float = Field(default=0.0, ge=0)
    usd_per_job: float = Field(default=0.0, ge=0)
    usd_per_warm_second: float = Field(default=0.0, ge=0)


class Prices(_Table):
    """What a doomed try costs, and a second of a user's waiting."""

    per_try: float = Field(default=0.0, ge=0)
    per_second: float = Field(default=0.0, ge=0)


class PipelineLoad(_Table):
    """One pipeline of a scenario: `arrivals` are linear between points, `slots` are steps."""

    name: str = Field(min_length=1)
    arrivals: Curve
    service: Service
    slots: Curve
    refusal: float = Field(default=2.0, ge=0)
    faults: tuple[FaultWindow, ...] = ()
    fallback: Hosted = Hosted()
    prices: Prices = Prices()
    deadline: float | None = Field(default=None, gt=0)

    @property
    def is_video(self) -> bool:
        """Videos take ten times as long as pictures and are waited for longer."""
        return "video" in self.name

    @property
    def deadline_s(self) -> float:
        """When a request has failed."""
        return self.deadline or (300.0 if self.is_video else 120.0)


class Scenario(_Table):
    """One file: `instances` front doors, whose news reach each other after `state_delay` seconds."""

    name: str = Field(min_length=1)
    seed: int = 0
    seconds: float = Field(gt=0)
    instances: int = Field(default=1, ge=1, le=256)
    state_delay: float = Field(default=0.0, ge=0)
    pipelines: tuple[PipelineLoad, ...] = Field(alias="pipeline", min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "Scenario":
        names = [pipeline.name for pipeline in self.pipelines]
        if len(set(names)) < len(names):
            raise ValueError("two pipelines have the same name")
        return self

    @model_validator(mode="after")
    def _can_be_played(self) -> "Scenario":
        expected = self.seconds * sum(max(rate for _, rate in pipeline.arrivals) for pipeline in self.pipelines)
        if expected > MOST_REQUESTS:
            raise ValueError(f"up to {expected:.0e} requests would come, {MOST_REQUESTS:.0e} can be played")
        return self


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises BadSettings with one line that says what to change."""
    try:
        return Scenario.model_validate(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} can't be read ({type(error).__name__})") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        raise BadSettings(f"{path}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    finding = error.errors()[0]
    where = ".".join(str(part) for part in finding["loc"])
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "extra_forbidden":
        message = "there is no such key" + _near(str(finding["loc"][-1]), _keys())
    return f"{where}: {message}" if where else message


def _keys() -> set[str]:
    tables = (Scenario, PipelineLoad, Service, FaultWindow, Hosted, Prices)
    return {field.alias or name for table in tables for name, field in table.model_fields.items()}


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {near[0]!r}?" if near else ""
