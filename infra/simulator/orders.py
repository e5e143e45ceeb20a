"""What a request to Replicate asks for that is to create a prediction, and why it may be refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from simulator.catalogue import Catalogue
from simulator.problems import LEAST_CANCEL_S, UNKNOWN_VERSION, problem, span_s
from simulator.schemas import Model, complaints, problem_of


class OrderError(Exception):
    """It is refused; `problem` is the answer's body, with its status."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        """As the API words it."""
        super().__init__(problem["detail"])
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Order:
    """A prediction that is to be made. `events` is empty where the webhook is to hear of all."""

    model: Model
    deployment: str | None
    input: dict[str, Any]
    webhook: str | None
    events: frozenset[str]
    cancel_after_s: float | None


def read_order(request: web.Request, body: Any, catalogue: Catalogue, *, strict: bool) -> Order:
    """Raises OrderError."""
    model = ordered_model(request, body, catalogue)
    given = body.get("input")
    found = complaints(model, given if isinstance(given, dict) else {}, strict=strict)
    if found or not isinstance(given, dict):
        raise OrderError(problem_of(found))
    cancel_after_s = span_s(request.headers.get("Cancel-After"))
    if cancel_after_s is not None and cancel_after_s < LEAST_CANCEL_S:
        raise OrderError(problem(422, "Cancel-After must be at least 5 seconds"))
    deployment = named(request) if _on_deployment(request) else None
    events = frozenset(body.get("webhook_events_filter") or ())
    return Order(model, deployment, given, body.get("webhook"), events, cancel_after_s)


def ordered_model(request: web.Request, body: Any, catalogue: Catalogue) -> Model:
    """The model that is meant by the path, or by the body's version. Raises OrderError."""
    if "owner" in request.match_info:
        model, refusal = catalogue.target(named(request), deployment=_on_deployment(request)), problem(404)
    else:
        version = body.get("version") if isinstance(body, dict) else None
        model, refusal = catalogue.version(str(version)), UNKNOWN_VERSION
    if model is None:
        raise OrderError(refusal)
    return model


def named(request: web.Request) -> str:
    """The owner/name in a path."""
    return f"{request.match_info['owner']}/{request.match_info['name']}"


def _on_deployment(request: web.Request) -> bool:
    return "/deployments/" in request.path
