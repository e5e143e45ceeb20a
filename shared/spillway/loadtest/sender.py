"""Sends the requests of a load test over HTTP, and tells what became of each."""

import asyncio
import io
import json
import random
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from PIL import Image

from spillway.domain.pipelines import PIPELINES, Gives
from spillway.errors import BadSettings
from spillway.loadtest.profile import Load
from spillway.loadtest.samples import Sample

PROMPTS = ("a lighthouse in a storm", "an otter riding a wave", "a brass robot reading", "a paper boat at night")
PICTURE_SIZE = 256
# What an answer must hold, by what its pipeline gives.
HOLDS: dict[Gives, str] = {
    "pictures": "images",
    "video": "images",
    "audio": "audio",
    "transcript": "text",
    "text": "text",
    "masks": "masks",
    "chat": "choices",
}
UPLOADS = {"audio-to-text": ("audio", "sound.wav", "audio/wav")}
A_PICTURE = ("image", "picture.png", "image/png")


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended: a class of error, or who served it."""

    failure: str = ""
    served_by: str = ""
    tries: int = 0


class Sender:
    """Connections to one target, as many as are needed; `token` goes with each request as a Bearer."""

    def __init__(self, target: str, deadline_s: float, token: str | None = None):
        self._target, self._deadline_s = target.rstrip("/"), deadline_s
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._chance = random.Random(0)
        self._files = {"image": _picture(), "audio": _sound()}

    async def __aenter__(self) -> "Sender":
        timeout = aiohttp.ClientTimeout(total=self._deadline_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=timeout, headers=self._headers, trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def check(self) -> None:
        """Whether anybody is there, before load is sent. Raises BadSettings."""
        try:
            async with self._session.get(self._target, timeout=aiohttp.ClientTimeout(total=10)):
                return
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BadSettings(f"{self._target} does not answer ({type(error).__name__})") from error

    async def spent_usd(self) -> float | None:
        """What the front door has spent on hosted inference in the last day; None where it doesn't say."""
        try:
            async with self._session.get(f"{self._target}/api/stats?window=24h") as response:
                return float((await response.json())["total"]["fallback_usd"])
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):
            return None

    async def send(self, load: Load, due: float, clock: Callable[[], float]) -> Sample:
        """One request, now; `due` is when it should have been sent."""
        sent = clock()
        answer = await self._ask(load)
        return Sample(load.name, due, sent, clock(), answer.failure, answer.served_by, answer.tries)

    async def _ask(self, load: Load) -> Answer:
        try:
            async with self._session.post(f"{self._target}/{load.name}", **self._body(load)) as response:
                return await _read(response, load)
        except TimeoutError:
            return Answer("timeout")
        except aiohttp.ClientConnectorError:
            return Answer("no connection")
        except (aiohttp.ClientError, OSError):
            return Answer("connection lost")

    def _body(self, load: Load) -> dict[str, Any]:
        pipeline = PIPELINES[load.name]
        fields = {pipeline.model_field: load.model or pipeline.default_model, **load.fields}
        if pipeline.encoding == "json":
            return {"json": {**self._words(load.name), **fields}}
        name, filename, kind = UPLOADS.get(load.name, A_PICTURE)
        form = aiohttp.FormData({field: str(value) for field, value in fields.items()})
        form.add_field(name, self._files[name], filename=filename, content_type=kind)
        if load.name in ("image-to-image", "upscale"):
            form.add_field("prompt", self._chance.choice(PROMPTS))
        return {"data": form}

    def _words(self, pipeline: str) -> dict[str, Any]:
        said = self._chance.choice(PROMPTS)
        if pipeline == "llm":
            return {"messages": [{"role": "user", "content": f"Describe {said}."}], "max_tokens": 64, "stream": False}
        return {"text": said} if pipeline == "text-to-speech" else {"prompt": said}


async def _read(response: aiohttp.ClientResponse, load: Load) -> Answer:
    body = await response.read()
    tries = response.headers.get("x-spillway-attempts", "1")
    made = int(tries) if tries.isdigit() else 1
    if response.status != 200:
        return Answer(f"status {response.status}", tries=made)
    if not _whole(body, HOLDS[PIPELINES[load.name].gives]):
        return Answer("broken answer", tries=made)
    # A target that doesn't say who served is a gateway of the subnet itself.
    return Answer(served_by=response.headers.get("x-spillway-served-by", "subnet"), tries=made)


def _whole(body: bytes, holds: str) -> bool:
    try:
        return bool(json.loads(body)[holds])
    except (ValueError, LookupError, TypeError):
        return False


def _picture() -> bytes:
    """A picture that doesn't compress to nothing."""
    file = io.BytesIO()
    noise = random.Random(0).randbytes(PICTURE_SIZE * PICTURE_SIZE // 64)
    small = Image.frombytes("L", (PICTURE_SIZE // 8, PICTURE_SIZE // 8), noise)
    small.resize((PICTURE_SIZE, PICTURE_SIZE)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def _sound() -> bytes:
    """A second of noise."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(random.Random(0).randbytes(32_000))
    return file.getvalue()


async def until(second: float, clock: Callable[[], float]) -> None:
    """Sleep until a moment of a clock; at once where it has passed."""
    await asyncio.sleep(max(0.0, second - clock()))
