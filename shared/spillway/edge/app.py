"""The front door: who answers which path."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from spillway.domain.pipelines import PIPELINES
from spillway.edge.auth import Entrance, welcome
from spillway.edge.bodies import Room
from spillway.edge.cross_origin import CrossOrigin
from spillway.edge.pages import HEALTH_PATHS, Health
from spillway.edge.pipelines import ChatEndpoint, ImagesEndpoint, LivepeerEndpoint, Ways
from spillway.edge.replies import family_of, new_request_id, send_fault
from spillway.edge.requests import request_id
from spillway.errors import SpillwayError
from spillway.ports import Artifacts, Media
from spillway.services.exporting import Exporting
from spillway.services.inference import InferenceService
from spillway.services.on_demand import OnDemand

if TYPE_CHECKING:
    from spillway.edge.job_house import JobHouse

Beside = Callable[[], Awaitable[None]]
"""Something that runs for as long as the application does."""
Endpoints = Mapping[tuple[str, str], ASGIApp]
"""Applications by method and path."""


@dataclass(frozen=True, slots=True)
class House:
    """What the application is made of. `annex` gives all other paths, those of the endpoints with other methods too."""

    inference: InferenceService
    artifacts: Artifacts
    media: Media
    room: Room
    entrance: Entrance
    jobs: "OnDemand[JobHouse]"
    annex: Callable[[Endpoints], ASGIApp]
    public_url: str | None
    close: Callable[[], Awaitable[None]]
    beside: Sequence[Beside] = ()
    side_doors: Mapping[str, ASGIApp] = field(default_factory=dict)
    """Paths that are POSTed to by machines and see for themselves who it is: by a key, or by a signature."""
    exporting: Exporting | None = None
    """Sends the metrics to where nobody comes to read them."""


class FrontDoor:
    """Every path. The inference paths are found at once: a router and its middlewares cost a tenth of a request."""

    def __init__(self, endpoints: Endpoints, others: ASGIApp, entrance: Entrance, side_doors: Mapping[str, ASGIApp]):
        self._endpoints = endpoints
        self._others = others
        self._entrance = entrance
        self._side_doors = side_doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        side_door = self._side_doors.get(path) if scope["method"] == "POST" else None
        if side_door is not None:
            await side_door(scope, receive, send)
            return
        try:
            welcome(scope, await self._entrance.admit(scope))
        except SpillwayError as error:
            named = request_id(Headers(scope=scope)) or new_request_id()
            await send_fault(send, error, family_of(path, PIPELINES), named)
            return
        endpoint = self._endpoints.get((scope["method"], path), self._others)
        await endpoint(scope, receive, send)


class AppOnDemand:
    """An application that is loaded when it is first called."""

    def __init__(self, app: OnDemand[ASGIApp]):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        await (await self._app.get())(scope, receive, send)


class Open:
    """An application with all that runs beside it, from the server's start to its end."""

    def __init__(self, app: ASGIApp, beside: Sequence[Beside], close: Callable[[], Awaitable[None]]):
        self._app, self._beside, self._close = app, beside, close
        self._life = Starlette(lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        await (self._app if scope["type"] == "http" else self._life)(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(one()) for one in self._beside]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close()


def create_app(house: House) -> ASGIApp:
    """The front door over a house."""
    endpoints = _endpoints(house)
    others = AppOnDemand(OnDemand(partial(house.annex, endpoints)))
    door: ASGIApp = FrontDoor(endpoints, others, house.entrance, house.side_doors)
    if house.entrance.keyed:
        door = CrossOrigin(door, house.entrance)
    return Open(door, house.beside, house.close)


def _endpoints(house: House) -> Endpoints:
    ways = Ways(house.inference, house.room, house.public_url, house.jobs)
    return {
        **{("POST", pipeline.path): LivepeerEndpoint(pipeline, ways) for pipeline in PIPELINES.values()},
        ("POST", "/v1/chat/completions"): ChatEndpoint(ways),
        ("POST", "/v1/images/generations"): ImagesEndpoint(ways, house.media, house.artifacts),
        **{("GET", path): Health() for path in HEALTH_PATHS},
    }
