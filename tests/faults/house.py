"""A front door between a simulated subnet and simulated hosted inference, and the callers that tests send to it."""

import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from simulator import OpenAiApi, ReplicateApi, Service, SubnetGateway
from spillway.settings import Settings
from support.front_door import running

SUBNET_TIMEOUT_S = 0.6
DEADLINE_S = 6.0
TOKEN = "r8_test"
QUICK = {name: Service(0.05) for name in ("text-to-image", "image-to-image", "image-to-video", "upscale", "llm")}
HOSTED_PICTURES, HOSTED_CHAT = "dall-e-3", "gpt-4o-mini"
REPLICATE_PICTURES, REPLICATE_CHAT = "black-forest-labs/flux-schnell", "meta/meta-llama-3-8b-instruct"
MESSAGES = [{"role": "user", "content": "Say something about water and light, and take your time."}]

ROUTES = """
[providers.hosted]
kind = "openai"
base_url = "{hosted}/v1"
[providers.replicate]
kind = "replicate"

[[routes]]
pipeline = "text-to-image"
deadline = {deadline}
subnet_timeout = {subnet_timeout}
[[routes.fallbacks]]
provider = "hosted"
model = "dall-e-3"
usd_per_job = 0.04
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
usd_per_job = 0.003
outputs_per_job = 4
input = {{ prompt = "{{prompt}}", num_outputs = "{{num_images}}", seed = "{{seed}}", output_format = "png" }}

[[routes]]
pipeline = "llm"
deadline = {deadline}
subnet_timeout = {subnet_timeout}
{window}
[[routes.fallbacks]]
provider = "hosted"
model = "gpt-4o-mini"
usd_per_job = 0.01
[[routes.fallbacks]]
provider = "replicate"
model = "meta/meta-llama-3-8b-instruct"
usd_per_job = 0.001
{larger}
input = {{ prompt = "{{llama3_chat}}", max_tokens = "{{max_tokens}}" }}
"""


@dataclass
class House:
    """What a test needs: where callers go, the three upstreams, and a client."""

    url: str
    subnet: SubnetGateway
    hosted: OpenAiApi
    replicate: ReplicateApi
    client: httpx.AsyncClient

    async def stats(self) -> dict[str, Any]:
        """GET /api/stats."""
        return (await self.client.get(f"{self.url}/api/stats")).json()

    async def metrics(self) -> str:
        """GET /metrics."""
        return (await self.client.get(f"{self.url}/metrics")).text

    async def outcomes(self) -> list[tuple[str, str]]:
        """Tries that failed, the oldest first: backend and outcome."""
        return [(error["backend"], error["outcome"]) for error in reversed((await self.stats())["last_errors"])]


@asynccontextmanager
async def house(
    tmp_path: Path,
    *,
    subnet: SubnetGateway | None = None,
    hosted: OpenAiApi | None = None,
    replicate: ReplicateApi | None = None,
    routes: str = ROUTES,
    subnet_url: str | None = None,
    window: str = "",
    larger: str = "",
    subnet_timeout: float = SUBNET_TIMEOUT_S,
    deadline: float = DEADLINE_S,
    works: bool = True,
    **settings: Any,
) -> AsyncIterator[House]:
    """The house, with quick upstreams unless a test brings its own."""
    subnet = subnet or SubnetGateway(slots=200, service=QUICK, refusal_s=0.05)
    hosted = hosted or OpenAiApi(service_s=0.05)
    replicate = replicate or ReplicateApi(TOKEN, service_s=0.05)
    async with AsyncExitStack() as stack:
        for upstream in (subnet, hosted, replicate):
            await stack.enter_async_context(upstream.serve())
        file = tmp_path / "routes.toml"
        file.write_text(
            routes.format(
                hosted=hosted.url, deadline=deadline, subnet_timeout=subnet_timeout, window=window, larger=larger
            )
        )
        url = await stack.enter_async_context(
            running(
                Settings(
                    subnet_url=subnet_url or subnet.url,
                    routes=file,
                    replicate_url=replicate.url,
                    REPLICATE_API_TOKEN=TOKEN,
                    **{"artifacts": f"file://{tmp_path / 'artifacts'}", **settings},
                ),
                works=works,
            )
        )
        client = await stack.enter_async_context(new_client())
        yield House(url, subnet, hosted, replicate, client)


def new_client() -> httpx.AsyncClient:
    """A caller that never gives up before the front door has to."""
    return httpx.AsyncClient(
        timeout=30,
        trust_env=False,
        verify=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    )


@dataclass(frozen=True)
class Caller:
    """One way to ask: a path, its family, and for chat whether the stream is live or whole."""

    name: str
    path: str
    pipeline: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def openai(self) -> bool:
        """Whether it speaks OpenAI's API."""
        return self.path.startswith("/v1/")

    @property
    def chat(self) -> bool:
        """Whether it wants words, streamed."""
        return self.pipeline == "llm"

    @property
    def live(self) -> bool:
        """Whether words reach it as they come."""
        return self.chat and not self.headers

    def body(self, count: int = 1) -> dict[str, Any]:
        """What it asks for."""
        if self.chat:
            options = {"stream_options": {"include_usage": True}} if self.openai else {}
            return {"messages": MESSAGES, "max_tokens": 200, "stream": True, **options}
        if self.openai:
            return {"prompt": "a river", "size": "128x128", "n": count}
        return {"prompt": "a river", "width": 128, "height": 128, "num_images_per_prompt": count}

    async def ask(self, house: House, *, count: int = 1, **headers: str) -> "Reply":
        """Ask, and read the reply to its end."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await ask(house.client, house.url + self.path, sent, json=self.body(count))


WHOLE = {"x-spillway-stream": "whole"}
PICTURES = (
    Caller("pictures", "/text-to-image", "text-to-image"),
    Caller("openai-pictures", "/v1/images/generations", "text-to-image"),
)
LIVE_CHATS = (Caller("chat-live", "/llm", "llm"), Caller("openai-chat-live", "/v1/chat/completions", "llm"))
WHOLE_CHATS = (
    Caller("chat-whole", "/llm", "llm", WHOLE),
    Caller("openai-chat-whole", "/v1/chat/completions", "llm", WHOLE),
)
CHATS = (*LIVE_CHATS, *WHOLE_CHATS)


@dataclass
class Reply:
    """What a caller got. `cut` says that the HTTP body broke off; `error` is an error event inside a stream."""

    status: int
    headers: httpx.Headers
    seconds: float = 0.0
    body: Any = None
    cut: bool = False
    words: str = ""
    finish: str = ""
    done: bool = False
    error: dict[str, Any] | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    comments: str = ""

    @property
    def served_by(self) -> str:
        """Who answered: the header, or for a stream that began before it was known, its comment."""
        return self.headers.get("x-spillway-served-by") or self.comments.partition("served-by ")[2].partition(",")[0]

    @property
    def attempts(self) -> int:
        """How many tries it took, from the same places."""
        told = self.comments.partition("attempts ")[2].partition("\n")[0]
        return int(told or self.headers["x-spillway-attempts"])

    @property
    def message(self) -> str:
        """The words of an error."""
        return self.body["error"]["message"]


async def ask(client: httpx.AsyncClient, url: str, headers: Mapping[str, str] | None = None, **content: Any) -> Reply:
    """POST, and read a JSON body or a stream to its end, however it ends."""
    began = time.monotonic()
    async with client.stream("POST", url, headers=headers, **content) as response:
        reply = Reply(response.status_code, response.headers)
        raw = b""
        try:
            async for piece in response.aiter_raw():
                raw += piece
        except httpx.RemoteProtocolError:
            reply.cut = True
    reply.seconds = time.monotonic() - began
    if response.headers["content-type"].startswith("text/event-stream"):
        _read_events(reply, raw.decode())
    else:
        reply.body = json.loads(raw)
    return reply


def _read_events(reply: Reply, text: str) -> None:
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line]
        data = "\n".join(value for name, _, value in lines if name == "data")
        reply.comments += "".join(f"{value}\n" for name, _, value in lines if not name)
        if data == "[DONE]":
            reply.done = True
        elif ("event", ": ", "error") in lines:
            reply.error = json.loads(data)
        elif data:
            _read_chunk(reply, json.loads(data))


def _read_chunk(reply: Reply, chunk: dict[str, Any]) -> None:
    assert not reply.done, "a chunk after the end"
    reply.model = chunk["model"]
    reply.usage = chunk.get("usage") or reply.usage
    for choice in chunk["choices"]:
        reply.words += choice["delta"].get("content") or ""
        reply.finish = choice["finish_reason"] or reply.finish


async def assert_answered(house: House, caller: Caller, reply: Reply, *, count: int = 1) -> None:
    """The whole answer is there: every picture decodes, every word that the backend counted came."""
    assert (reply.status, reply.error, reply.cut) == (200, None, False), reply
    assert reply.served_by in ("subnet", "hosted", "replicate")
    if caller.chat:
        assert (reply.done, reply.finish) == (True, "stop"), reply
        assert len(reply.words.split()) == reply.usage["completion_tokens"] >= 12
        return
    pictures = reply.body["data"] if caller.openai else reply.body["images"]
    assert len(pictures) == count
    for picture in pictures:
        assert caller.openai or (type(picture["seed"]) is int and type(picture["nsfw"]) is bool)
        Image.open(io.BytesIO((await house.client.get(picture["url"])).content)).load()


def assert_broke_off(reply: Reply) -> None:
    """A stream whose words were out ended with an error that no client takes for the end of an answer."""
    assert reply.status == 200
    assert not reply.cut, "the HTTP body itself is well formed"
    assert reply.error is not None
    assert reply.error["error"]["message"]
    assert (reply.done, reply.finish) == (False, "")


def assert_clear_error(caller: Caller, reply: Reply, status: int) -> None:
    """An error in the shape of the caller's family, with words in it."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json"
    assert reply.message
    if caller.openai:
        assert set(reply.body["error"]) == {"message", "type", "param", "code"}
    else:
        assert reply.body["detail"]["msg"] == reply.message
