"""The gates of one instance: one for each route and model that is asked for."""

from collections import OrderedDict
from collections.abc import Iterator
from random import Random

from spillway.domain.pipelines import PIPELINES
from spillway.domain.policy import SubnetPolicy
from spillway.domain.routes import Route
from spillway.domain.waste import Prices
from spillway.ports import Clock
from spillway.services.gate import Gate

MODELS_PER_ROUTE = 256


class Gates:
    """The most recent models of a route have a gate of their own, the rest share one."""

    def __init__(self, monotonic: Clock, chance: Random):
        self._monotonic, self._chance = monotonic, chance
        self._by_route: dict[str, OrderedDict[str, Gate]] = {}

    def of(self, route: Route, model: str) -> Gate:
        """The gate of a model that a route serves."""
        model = model if route.model == "*" else route.model
        models = self._by_route.setdefault(f"{route.pipeline} {route.model}", OrderedDict())
        gate = models.get(model)
        if gate is None:
            return self._admit(route, models, model)
        models.move_to_end(model)
        return gate

    def _admit(self, route: Route, models: "OrderedDict[str, Gate]", model: str) -> Gate:
        if len(models) >= MODELS_PER_ROUTE:
            idle = next((name for name, gate in models.items() if not gate.policy.open and name != "*"), None)
            if idle is None:
                return models.setdefault("*", self._make(route, "*"))
            del models[idle]
        return models.setdefault(model, self._make(route, model))

    def _make(self, route: Route, model: str) -> Gate:
        prices = Prices(route.usd_per_try, route.usd_per_second, route.hosted_usd)
        policy = SubnetPolicy(route.pipeline, prices, self._chance, patience_s=route.subnet_timeout)
        known = model != "*" and model in (route.model, PIPELINES[route.pipeline].default_model)
        return Gate(f"{route.pipeline} {model}", policy, self._monotonic, self._chance, known=known)

    def now(self) -> float:
        """The time of the policies' clock."""
        return self._monotonic()

    def __iter__(self) -> Iterator[Gate]:
        return (gate for models in self._by_route.values() for gate in models.values())
