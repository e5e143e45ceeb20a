"""An OpenAI-compatible API: pictures, chat (whole and streamed), the list of models, and its errors."""

import base64
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar
from zlib import crc32

from aiohttp import web

from simulator import media
from simulator.faults import Fault
from simulator.record import Recorded
from simulator.reply import send, stream
from simulator.server import ENTRY, Endpoint, Simulator, fault_of
from simulator.words import tokens, words

PATHS = {"/v1/images/generations": "images", "/v1/chat/completions": "chat"}
MODELS = ("gpt-4o-mini", "gpt-image-1", "dall-e-3")
FILES_LAST_S = 3600.0
MAX_WORDS = 32
DONE = b"data: [DONE]\n\n"
TYPES = {401: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error"}
CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
CONTEXT = "This model's maximum context length is exceeded. Please reduce the length of the messages."
SAFETY = "Your request was rejected as a result of our safety system."


class OpenAiApi(Simulator):
    """`OpenAiApi(time_scale=0.01)`; clients use `api.url + "/v1"`. Without a `key`, any is good.

    `models` are the ones there are (None: any name is served), `context_tokens` is what a chat may hold.
    """

    name: ClassVar[str] = "openai"

    def __init__(
        self,
        key: str | None = None,
        *,
        models: Sequence[str] | None = None,
        service_s: Mapping[str, float] | float = 3.0,
        context_tokens: int | None = None,
        time_scale: float = 1.0,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet. `service_s`: one number, or one for "images" and one for "chat"."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.key, self.models, self.context_tokens = key, models, context_tokens
        self.service_s = service_s

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, behind its key."""
        return [
            web.post("/v1/images/generations", self._guarded(self._images)),
            web.post("/v1/chat/completions", self._guarded(self._chat)),
            web.get("/v1/models", self._guarded(self._list)),
            web.get("/v1/models/{model:.+}", self._guarded(self._model)),
        ]

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The model of a POST."""
        if request.path not in PATHS:
            return None
        return str(entry.json.get("model")) if isinstance(entry.json, dict) else "unknown"

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """OpenAI's error."""
        said = message or web.Response(status=status).reason
        kind = TYPES.get(status, "invalid_request_error")
        return {"error": {"message": said, "type": kind, "param": None, "code": CODES.get(status), **extra}}

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
                return await self.fail(request, 401, "Incorrect API key provided.")
            refusal = self._refusal(request) if request.method == "POST" else None
            return await (endpoint(request) if refusal is None else send(request, refusal[1], status=refusal[0]))

        return guarded

    def _refusal(self, request: web.Request) -> tuple[int, Any] | None:
        """What the request itself is refused for, by its own fault or by one that was ordered."""
        body, fault = request[ENTRY].json, fault_of(request)
        kind = fault.kind if fault is not None else None
        needed = "messages" if PATHS[request.path] == "chat" else "prompt"
        if not isinstance(body, dict) or not body.get("model"):
            return 400, self.problem(400, "you must provide a model parameter")
        if not body.get(needed):
            return 400, self.problem(400, f"Missing required parameter: '{needed}'.", param=needed)
        if self.models is not None and body["model"] not in self.models:
            return 404, self.problem(404, f"The model `{body['model']}` does not exist", code="model_not_found")
        if kind == "context_length" or (needed == "messages" and self._too_long(body)):
            return 400, self.problem(400, CONTEXT, param="messages", code="context_length_exceeded")
        if kind in {"content_filter", "nsfw"}:
            code = "content_filter" if needed == "messages" else "content_policy_violation"
            return 400, self.problem(400, (fault and fault.message) or SAFETY, code=code)
        return None

    def _too_long(self, body: Mapping[str, Any]) -> bool:
        return self.context_tokens is not None and tokens(str(body["messages"])) > self.context_tokens

    async def _worked(self, request: web.Request, share: float = 1.0) -> bool:
        """Take the time of one job; False where the fault ends it half-way."""
        fault = fault_of(request)
        times = self.service_s
        service_s = times if isinstance(times, int | float) else times[PATHS[request.path]]
        broken = fault is not None and fault.kind in {"error", "failed", "refuse", "runner"}
        with self.counters.working(), self.by[request[ENTRY].json["model"]].working():
            await self.clock.sleep(service_s * share * (fault.stretch if fault else 1.0) * (0.5 if broken else 1.0))
        return not broken

    async def _images(self, request: web.Request) -> web.StreamResponse:
        body, fault = request[ENTRY].json, fault_of(request)
        if not await self._worked(request):
            return await self.fail(request, 500)
        count = 0 if fault is not None and fault.kind == "no_images" else int(body.get("n") or 1)
        data = [self._image(body, index, fault) for index in range(count)]
        return await send(request, {"created": int(time.time()), "data": data}, fault)

    def _image(self, body: Mapping[str, Any], index: int, fault: Fault | None) -> dict[str, str]:
        kind = media.picture_format(body.get("output_format"))
        width, _, height = str(body.get("size") or "1024x1024").replace("auto", "1024x1024").partition("x")
        seed = crc32(str(body["prompt"]).encode()) + index
        make = partial(media.picture, int(width), int(height), seed, kind)
        if body.get("response_format") == "b64_json" or str(body["model"]).startswith("gpt-image"):
            return {"b64_json": base64.b64encode(self.files.spoilt(make, fault)()).decode()}
        path = f"/files/{self.random.getrandbits(64):016x}.{kind}"
        self.files.publish(path, make, fault, self.clock.now() + FILES_LAST_S)
        return {"url": self.url + path, "revised_prompt": str(body["prompt"])}

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body, fault = request[ENTRY].json, fault_of(request)
        said, reason = _said(body)
        if body.get("stream") and not (fault is not None and fault.kind in {"error", "failed"}):
            return await self._streamed(request, body, said, reason)
        if not await self._worked(request):
            return await self.fail(request, 500)
        message = {"role": "assistant", "content": "".join(said), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        if fault is not None and fault.kind == "no_end_marker":
            choice["finish_reason"] = None
        whole = {**self._signed(body, "chat.completion"), "choices": [choice], "usage": _usage(body, said)}
        return await send(request, whole, fault)

    async def _streamed(
        self, request: web.Request, body: Mapping[str, Any], said: list[str], reason: str
    ) -> web.StreamResponse:
        signed = self._signed(body, "chat.completion.chunk")
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        blank = {"usage": None} if with_usage else {}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in said)]
        chunks = [_event({**signed, "choices": [_choice(delta)], **blank}) for delta in deltas]
        ends = [_event({**signed, "choices": [_choice({}, reason)], **blank})]
        if with_usage:
            ends.append(_event({**signed, "choices": [], "usage": _usage(body, said)}))

        async def pause() -> None:
            await self._worked(request, 1 / (len(chunks) + 2))

        return await stream(request, [*chunks, *ends, DONE], pause, fault_of(request), end_markers=len(ends) + 1)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        listed = [_model(name) for name in self.models or MODELS]
        return await send(request, {"object": "list", "data": listed}, fault_of(request))

    async def _model(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["model"]
        if name not in (self.models or MODELS):
            return await self.fail(request, 404, f"The model '{name}' does not exist")
        return await send(request, _model(name), fault_of(request))

    def _signed(self, body: Mapping[str, Any], kind: str) -> dict[str, Any]:
        chat_id = f"chatcmpl-{self.random.getrandbits(96):024x}"
        return {"id": chat_id, "object": kind, "created": int(time.time()), "model": body["model"],
                "system_fingerprint": None}  # fmt: skip


def _said(body: Mapping[str, Any]) -> tuple[list[str], str]:
    wanted = 12 + tokens(str(body["messages"])) % (MAX_WORDS - 12)
    allowed = int(body.get("max_completion_tokens") or body.get("max_tokens") or MAX_WORDS)
    return words(body["messages"], min(wanted, allowed)), "length" if allowed < wanted else "stop"


def _usage(body: Mapping[str, Any], said: Sequence[str]) -> dict[str, int]:
    asked = tokens(str(body["messages"]))
    return {"prompt_tokens": asked, "completion_tokens": len(said), "total_tokens": asked + len(said)}


def _choice(delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_735_689_600, "owned_by": "simulator"}
