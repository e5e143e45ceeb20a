"""Which models and deployments a Replicate account sees, and the instances that run them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.clock import Clock
from simulator.fleet import Fleet
from simulator.schemas import Model, json_schema, load_models

CREATED_AT = "2026-01-01T00:00:00.000Z"
ACCOUNT = {"type": "organization", "username": "acme", "name": "Acme", "avatar_url": "", "github_url": None}


@dataclass(slots=True)
class Deployment:
    """A model with instances of its own."""

    model: str
    min_instances: int = 0
    max_instances: int = 5
    hardware: str = "gpu-l40s"
    release: int = 1

    def summary(self) -> dict[str, Any]:
        """The configuration as the API shows it."""
        return {"hardware": self.hardware, "min_instances": self.min_instances, "max_instances": self.max_instances}


class Catalogue:
    """Looks models up by name, version and deployment, and keeps a fleet for each that can go cold."""

    def __init__(
        self,
        clock: Clock,
        cold_start_s: float,
        models: Mapping[str, Any] | Path | None,
        deployments: Mapping[str, str | Deployment],
        *,
        official_warm: bool,
    ) -> None:
        """Deployments may be given as the model's name alone."""
        self.models = load_models(models)
        self.deployments = {
            name: Deployment(entry) if isinstance(entry, str) else entry for name, entry in deployments.items()
        }
        self._clock, self._cold_start_s, self._official_warm = clock, cold_start_s, official_warm
        self._fleets: dict[str, Fleet] = {}

    @property
    def kept_warm_s(self) -> float:
        """Instance seconds of all `min_instances`; deployments count from the first use or change."""
        for name in self.deployments:
            self.fleet(name)
        return sum(fleet.kept_warm_s for fleet in self._fleets.values())

    @property
    def online_s(self) -> float:
        """Seconds of all instances of deployments that were up."""
        return sum(self.fleet(name).online_s for name in self.deployments)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Each deployment's configuration and its warm instances."""
        return {name: {**entry.summary(), "warm": self.fleet(name).warm} for name, entry in self.deployments.items()}

    def target(self, name: str, *, deployment: bool) -> Model | None:
        """The model behind a path; only official ones can be run by name alone."""
        if deployment:
            found = self.deployments.get(name)
            return None if found is None else self.models.get(found.model)
        model = self.models.get(name)
        return model if model is not None and model.official else None

    def version(self, named: str) -> Model | None:
        """The model of `hash`, `owner/name:hash` or, if official, `owner/name`."""
        name, _, version = named.rpartition(":")
        for model in self.models.values():
            if model.version == version and name in {"", model.name}:
                return model
        return self.target(named, deployment=False)

    def fleet_for(self, model: Model, deployment: str | None) -> Fleet | None:
        """The instances of a prediction; None where there are always enough warm ones."""
        if deployment is not None:
            return self.fleet(deployment)
        return None if model.official and self._official_warm else self.fleet(model.name)

    def fleet(self, name: str) -> Fleet:
        """The instances of a deployment or model."""
        if name not in self._fleets:
            entry = self.deployments.get(name)
            least, most = (0, None) if entry is None else (entry.min_instances, entry.max_instances)
            self._fleets[name] = Fleet(self._clock, self._cold_start_s, least=least, most=most)
        return self._fleets[name]

    def patch(self, name: str, change: Any) -> bool:
        """A new release of a deployment; False where the numbers make no sense."""
        entry = self.deployments[name]
        if not isinstance(change, dict):
            return False
        wanted = {**entry.summary(), **{key: change[key] for key in entry.summary() if key in change}}
        least, most = wanted["min_instances"], wanted["max_instances"]
        if not (type(least) is int and type(most) is int and 0 <= least <= most):
            return False
        fleet = self.fleet(name)
        entry.min_instances, entry.max_instances, entry.hardware = least, most, str(wanted["hardware"])
        entry.release += 1
        fleet.resize(least, most)
        return True

    def deployment_json(self, name: str) -> dict[str, Any]:
        """A deployment as the API shows it."""
        entry = self.deployments[name]
        owner, _, short = name.partition("/")
        version = self.models[entry.model].version or "hidden"
        release = {
            "number": entry.release,
            "model": entry.model,
            "version": version,
            "created_at": CREATED_AT,
            "created_by": ACCOUNT,
            "configuration": entry.summary(),
        }
        return {"owner": owner, "name": short, "current_release": release}

    def model_json(self, name: str) -> dict[str, Any] | None:
        """A model as the API shows it."""
        model = self.models.get(name)
        if model is None:
            return None
        owner, _, short = name.partition("/")
        version = {"id": model.version or "hidden", "created_at": CREATED_AT, "cog_version": "0.16.0",
                   "openapi_schema": json_schema(model)}  # fmt: skip
        unset = ("github_url", "paper_url", "license_url", "cover_image_url", "default_example")
        return {
            "url": f"https://replicate.com/{name}",
            "owner": owner,
            "name": short,
            "description": None,
            "visibility": "public",
            "is_official": model.official,
            "run_count": 1,
            **dict.fromkeys(unset),
            "latest_version": version,
        }
