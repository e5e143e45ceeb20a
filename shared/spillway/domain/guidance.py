"""What the balancer tells front doors once a minute: how each deployment is used, and how well routes have proved
themselves. It is a minute old or more, so nothing on a request's way waits for it or fails without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MODEL, DEPLOYMENT = "model", "deployment"


@dataclass(slots=True)
class ByModel:
    """The places whose jobs go to the provider's own always-warm model for now, as that is cheaper than a deployment.

    A place is a fallback's `provider deployment`. Without a word about it, it is used as the routes file says.
    """

    places: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Guidance:
    """`routes` and `places` are as the balancer published them, for people; `by_model` as in ByModel."""

    at: float | None = None
    routes: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_model(self) -> frozenset[str]:
        """The places that are used by their model."""
        return frozenset(
            name for name, place in self.places.items() if isinstance(place, dict) and place.get("way") == MODEL
        )

    def body(self) -> dict[str, Any]:
        """For `/api/policy`."""
        return {"at": self.at, "routes": dict(self.routes), "places": dict(self.places)}


def read_guidance(body: Mapping[str, Any]) -> Guidance:
    """From the stored form; what can't be understood is left out."""
    at, routes, places = body.get("at"), body.get("routes"), body.get("places")
    return Guidance(
        float(at) if isinstance(at, int | float) else None,
        routes if isinstance(routes, dict) else {},
        places if isinstance(places, dict) else {},
    )
