"""Burst orchestrators in values: the terms they are rented on, a machine, the need, an order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spillway.domain.budget import DAY_S
from spillway.domain.cloud_init import Orchestrator, Secrets, cloud_init

Status = Literal["starting", "running", "stopping", "stopped", "deleting", "failed", "unknown", "missing"]
Verb = Literal["start", "idle", "drain", "stop", "delete"]
HOUR_S = 3600.0
# How long a machine that was asked to stop has to do so in order: its winning tickets are on its disk.
STOP_S = 120.0


class Hardware(BaseModel):
    """What a machine is made of. `gpu` is the cloud's own name; Compute Engine's template says all of it itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu: str = "geforcertx4090-pcie-24gb"
    vcpus: int = Field(default=4, ge=1)
    ram_gb: int = Field(default=16, ge=1)
    storage_gb: int = Field(default=200, ge=100)
    image: str = "ubuntu2404"
    ssh_key: str = ""


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine to be made: `cloud_init` is the document of its first boot, `usd_per_hour` the most it may cost."""

    hardware: Hardware
    usd_per_hour: float
    cloud_init: Mapping[str, Any] = field(default_factory=dict, repr=False)


class BurstTerms(BaseModel):
    """The `[routes.burst]` table: what may be rented for a route, for how much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cloud: Literal["tensordock", "compute-engine"] = "tensordock"
    machines: int = Field(ge=0, le=50)
    usd_per_hour: float = Field(gt=0)
    usd_per_day: float = Field(ge=0)
    slots: int = Field(default=1, ge=1)
    boot_s: float = Field(default=600.0, ge=0)
    boot_limit_s: float = Field(default=1500.0, gt=0)
    minimum_run_s: float = Field(default=1800.0, ge=0, le=DAY_S)
    lifetime_s: float = Field(default=DAY_S, gt=0)
    drain_s: float = Field(default=180.0, ge=0)
    removal_s: float = Field(default=900.0, ge=0)
    settle_s: float = Field(default=300.0, ge=0)
    round_s: float = Field(default=300.0, gt=0)
    hardware: Hardware = Hardware()
    orchestrator: Orchestrator = Orchestrator()

    @model_validator(mode="after")
    def _in_order(self) -> "BurstTerms":
        if self.boot_limit_s < self.boot_s:
            raise ValueError("boot_limit_s must not be shorter than boot_s")
        if self.lifetime_s < self.minimum_run_s:
            raise ValueError("lifetime_s must not be shorter than minimum_run_s")
        return self

    @property
    def farewell_s(self) -> float:
        """How long a machine may still be paid for once it has been decided that it goes."""
        return self.drain_s + STOP_S + self.removal_s

    @property
    def usd_per_s(self) -> float:
        """The price of one machine's second."""
        return self.usd_per_hour / HOUR_S

    def spec(self, pipeline: str, model: str, secrets: Secrets) -> MachineSpec:
        """A machine for this model. It switches itself off where nobody has removed it by then."""
        lifetime_s = self.lifetime_s + self.farewell_s
        document = cloud_init(
            self.orchestrator, pipeline, model, slots=self.slots, lifetime_s=lifetime_s, secrets=secrets
        )
        return MachineSpec(self.hardware, self.usd_per_hour, document)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as it is now. `started_at` is the time of the create call; `ready` None where that can't be told.

    The last five are what earlier rounds saw or asked for, None where they didn't.
    """

    name: str
    started_at: float
    status: Status = "running"
    address: str = ""
    ready: bool | None = None
    ready_at: float | None = None
    idle_since: float | None = None
    draining_since: float | None = None
    stopped_at: float | None = None
    deleted_at: float | None = None

    @property
    def going(self) -> bool:
        """Whether it will never serve again."""
        asked = self.stopped_at is not None or self.deleted_at is not None
        return asked or self.status in {"stopping", "stopped", "deleting", "failed"}


@dataclass(frozen=True, slots=True)
class Need:
    """What a route lacked of late, as means over some minutes.

    `since` is when overflow for want of capacity began that has gone on ever since, None where there is none now;
    `free_slots` counts the whole subnet's, burst machines included, None where nobody could say; `usd_per_job` is what
    the fallback costs.
    """

    refused_per_s: float = 0.0
    since: float | None = None
    overflow_per_s: float = 0.0
    usd_per_job: float = 0.0
    service_s: float = 1.0
    free_slots: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One step, and why. A start names no machine yet."""

    verb: Verb
    reason: str
    name: str = ""
