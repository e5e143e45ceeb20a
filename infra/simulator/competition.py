"""The GIF competition of the subnet's first weeks: a day of it, a subnet on which it goes alike, and its entrants.

On the day the subnet made 168 of 192 pictures and 82 of 119 videos, and hosted inference the rest. Here the day is
denser than it was (simulator.entries), and the orchestrators' slots are chosen for that density. Nothing says who
serves a request: a subnet that is full or goes wrong does.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from simulator.entries import DAY_S, SEED, Entry, a_day
from simulator.faults import Fault
from simulator.redeeming import Node, redeemed
from simulator.replicate import ReplicateApi
from simulator.subnet import Service, SubnetGateway

PICTURE, VIDEO = "text-to-image", "image-to-video"
# Served by the subnet and by hosted inference, on the day.
REFERENCE = {PICTURE: (168, 24), VIDEO: (82, 37)}

# Over many seeds these slots and faults serve 170 pictures and 81 videos on average; this seed is near that.
SLOTS = {PICTURE: 2, VIDEO: 6}
SERVICE = {PICTURE: Service(3.4, 0.3), VIDEO: Service(36.0, 0.25)}
# 6 in 100 pictures and 13 in 100 videos go wrong.
FAULTS = (
    Fault("error", f"/{PICTURE}", probability=0.03),
    Fault("truncated_media", f"/{PICTURE}", probability=0.02),
    Fault("close", f"/{PICTURE}", probability=0.01),
    Fault("error", f"/{VIDEO}", probability=0.08),
    Fault("truncated_media", f"/{VIDEO}", probability=0.03),
    Fault("close", f"/{VIDEO}", probability=0.02),
)
HOSTED_SERVICE_S = {
    "bytedance/sdxl-lightning-4step": 2.5,
    "black-forest-labs/flux-schnell": 2.0,
    "stability-ai/stable-video-diffusion": 38.0,
    "wan-video/wan-2.2-i2v-fast": 40.0,
}

MODELS = {PICTURE: "ByteDance/SDXL-Lightning", VIDEO: "stabilityai/stable-video-diffusion-img2vid-xt"}

# Any faster, and the milliseconds of a real request would weigh more than the simulated seconds.
FASTEST = 1 / 240


def subnet(time_scale: float) -> SubnetGateway:
    """The subnet of the day."""
    return SubnetGateway(SLOTS, service=SERVICE, time_scale=time_scale, seed=SEED, faults=FAULTS)


def hosted(time_scale: float, token: str) -> ReplicateApi:
    """Replicate; the community's models on it go cold."""
    return ReplicateApi(token, service_s=HOSTED_SERVICE_S, time_scale=time_scale, seed=SEED)


def chain(day: "Day") -> AbstractAsyncContextManager[Node]:
    """The chain on which orchestrators redeem what they won in serving it."""
    return redeemed(lambda: sum(tally.subnet for tally in day.tallies.values()), SEED)


@dataclass(slots=True)
class Tally:
    """What became of one pipeline's requests; `answers_s` are simulated seconds to an answer.

    `estimated_s` are (told at the start, taken) of each job, in simulated seconds too.
    """

    sent: int = 0
    subnet: int = 0
    fallback: int = 0
    failed: int = 0
    usd: float = 0.0
    answers_s: list[float] = field(default_factory=list)
    estimated_s: list[tuple[float, float]] = field(default_factory=list)

    @property
    def estimate_error_s(self) -> float | None:
        """How far half of the estimates were from the truth at most; None where nothing was estimated."""
        errors = sorted(abs(told - taken) for told, taken in self.estimated_s)
        return errors[(len(errors) - 1) // 2] if errors else None

    @property
    def in_flight(self) -> int:
        """Sent and not yet answered."""
        return self.sent - self.subnet - self.fallback - self.failed

    def quantile(self, q: float) -> float | None:
        """By nearest rank; None while there is no answer."""
        ordered = sorted(self.answers_s)
        return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


class Day:
    """A day lived through in `seconds` against the front door at `url`.

    `pace`: real seconds for one of the day's. `scale`: the same for the services, which can't be hurried beyond
    `FASTEST` and are never slower than in life.
    """

    def __init__(self, seconds: float, url: str) -> None:
        """Nobody has come yet."""
        self.seconds, self.url = seconds, url
        self.pace = seconds / DAY_S
        self.scale = min(1.0, max(FASTEST, self.pace))
        self.tallies = {PICTURE: Tally(), VIDEO: Tally()}
        self.gifs = self.redeemed = self.redeemed_wei = 0
        self._date = datetime.now(UTC).date()
        self._client = httpx.AsyncClient()
        self._began = time.monotonic()

    @property
    def now_s(self) -> float:
        """The second of the day."""
        return (time.monotonic() - self._began) / self.pace

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The entrants' connections: as many as they need, without a limit of time, for the front door keeps one."""
        # httpx looks through all idle connections for each request.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=8)
        async with httpx.AsyncClient(base_url=self.url, timeout=None, limits=limits, trust_env=False) as self._client:
            yield

    async def play(self) -> None:
        """Let all entrants come at their times, whatever became of those before, until the last has an answer."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for entry in a_day():
                group.create_task(self._enter(entry))

    async def count_money(self) -> None:
        """Ask the front door what it has spent on hosted inference."""
        pipelines = (await self._client.get("/api/stats?window=24h")).raise_for_status().json()["pipelines"]
        for name, tally in self.tallies.items():
            tally.usd = pipelines.get(name, {}).get("fallback_usd", 0.0)

    async def count_redemptions(self) -> None:
        """Ask it how many winning tickets it has read since today began, and what they paid."""
        since = {"from": f"{self._date:%Y-%m-%d}", "limit": 1}
        totals = (await self._client.get("/api/redemptions", params=since)).raise_for_status().json()["totals"]
        self.redeemed, self.redeemed_wei = totals["count"], int(totals["amount_wei"])

    async def _enter(self, entry: Entry) -> None:
        """A prompt, its picture and, where one is wanted, the video of just that picture, and its GIF."""
        await self._until(entry.at_s)
        wish = {"model_id": MODELS[PICTURE], "prompt": entry.prompt, "width": 1024, "height": 576}
        picture = await self._ask(PICTURE, json=wish)
        if picture is None or entry.video_at_s is None:
            return
        await self._until(entry.video_at_s)
        file = ("picture", picture.content, picture.headers["content-type"])
        job = await self._animate(data={"model_id": MODELS[VIDEO]}, files={"image": file})
        if job is not None and entry.by is not None:
            gif = {"job": job, "prompt": entry.prompt, "name": entry.by}
            entered = await self._client.post("/api/gif/entries", json=gif)
            self.gifs += entered.is_success

    async def _ask(self, pipeline: str, **body: Any) -> httpx.Response | None:
        """Send one request, fetch what came of it from where the front door says, and count how it went."""
        tally = self.tallies[pipeline]
        tally.sent += 1
        began = time.monotonic()
        try:
            answer = (await self._client.post(f"/{pipeline}", **body)).raise_for_status()
            took_s = (time.monotonic() - began) / self.scale
            result = await self._fetch(answer.json())
        except (httpx.HTTPError, ValueError, LookupError):
            tally.failed += 1
            return None
        _count(tally, took_s, answer.headers["x-spillway-served-by"])
        return result

    async def _animate(self, **body: Any) -> str | None:
        """Hand in a video as a job, and listen until it has ended; gives its id where it has a video."""
        tally = self.tallies[VIDEO]
        tally.sent += 1
        began = time.monotonic()
        try:
            answer = await self._client.post(f"/{VIDEO}", headers={"prefer": "respond-async"}, **body)
            told_s = answer.raise_for_status().json()["eta_seconds"] / self.scale
            job = await self._ended(answer.headers["location"])
            took_s = (time.monotonic() - began) / self.scale
            await self._fetch(job["result"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            tally.failed += 1
            return None
        tally.estimated_s.append((told_s, took_s))
        _count(tally, took_s, job["served_by"])
        return str(job["id"])

    async def _ended(self, place: str) -> dict[str, Any]:
        """A job's last change, out of its events."""
        last: dict[str, Any] = {}
        async with self._client.stream("GET", f"{place}/events") as events:
            async for line in events.raise_for_status().aiter_lines():
                name, _, data = line.partition(": ")
                if name == "data" and "status" in (told := json.loads(data)):
                    last = told
        return last

    async def _fetch(self, answer: dict[str, Any]) -> httpx.Response:
        return (await self._client.get(answer["images"][0]["url"])).raise_for_status()

    async def _until(self, second: float) -> None:
        await asyncio.sleep((second - self.now_s) * self.pace)


def _count(tally: Tally, took_s: float, served_by: str) -> None:
    tally.answers_s.append(took_s)
    tally.subnet += served_by == "subnet"
    tally.fallback += served_by != "subnet"
