"""Discord's webhook API: messages are made, edited, read and deleted by whoever knows the webhook's token.

What was made can't be listed: only a message whose id is known can be asked for. Statuses, codes, limits and headers
are those of Discord's documentation (resources/webhook, resources/message, topics/rate-limits).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from simulator.faults import BODY, TRANSPORT, Fault, Kind
from simulator.limits import RateLimit
from simulator.messages import Message, refused
from simulator.record import Recorded
from simulator.reply import drop, send
from simulator.server import ENTRY, Endpoint, Simulator, fault_of

EPOCH_MS = 1_420_070_400_000
ROOTS = ("/api/webhooks/{id}/{token}", r"/api/v{version:\d+}/webhooks/{id}/{token}")
SAID = {
    400: ("Invalid Form Body", 50035),
    401: ("Invalid Webhook Token", 50027),
    404: ("Unknown Webhook", 10015),
    500: ("500: Internal Server Error", 0),
}
_DONE: frozenset[Kind] = TRANSPORT | BODY | {"error", "reply_lost", "repeated", "late"}


class DiscordApi(Simulator):
    """One webhook at `webhook_url`. `messages` is all that was ever made, `channel` what a reader sees.

    Faults of a change beside those of the wire: `error` (500, but done), `reply_lost` (done, closed without a byte),
    `repeated` (done twice), `late` (closed at once, done `late_s` later), `status` with 429 and `retry_after`.
    """

    name: ClassVar[str] = "discord"

    def __init__(
        self,
        token: str = "t0ken",
        *,
        webhook: tuple[int, float] = (5, 2.0),
        everybody: tuple[int, float] = (50, 1.0),
        time_scale: float = 1.0,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """An empty channel; `webhook` and `everybody` are calls and seconds of the two kinds of bucket."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.token = token
        self.messages: list[Message] = []
        self.deleted = False
        self.limited = 0
        self.late_s = 0.2
        self._global = RateLimit(self.clock.now, *everybody)
        self._buckets: defaultdict[str, RateLimit] = defaultdict(lambda: RateLimit(self.clock.now, *webhook))

    @property
    def webhook_url(self) -> str:
        """What an administrator copies out of the channel's settings."""
        return f"{self.url}/api/webhooks/1/{self.token}"

    @property
    def channel(self) -> list[Message]:
        """What a reader sees, the oldest first."""
        return [message for message in self.messages if not message.deleted]

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, in its version or in any."""
        endpoints: list[tuple[str, str, Endpoint]] = [
            ("GET", "", self._webhook),
            ("POST", "", self._execute),
            ("GET", "/messages/{message}", self._read),
            ("PATCH", "/messages/{message}", self._edit),
            ("DELETE", "/messages/{message}", self._delete),
        ]
        for root in ROOTS:
            for method, path, endpoint in endpoints:
                yield web.route(method, root + path, self._guarded(endpoint))

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The method, for the counts."""
        return request.method

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Changes may be done and not answered, and the other way round."""
        return TRANSPORT if request.method == "GET" else _DONE

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """An error as Discord writes it."""
        said, code = SAID.get(status, (f"{status}: {web.Response(status=status).reason}", 0))
        return {"message": message or said, "code": extra.pop("code", code), **extra}

    def settings(self) -> dict[str, Any]:
        """What stands in the channel."""
        return {"webhook_url": self.webhook_url, "channel": [message.shown() for message in self.channel]}

    def change(self, name: str, value: Any) -> None:
        """`deleted`: the webhook is taken away, or comes back."""
        if name != "deleted":
            raise KeyError(name)
        self.deleted = bool(value)

    async def fail(self, request: web.Request, status: int, message: str | None = None) -> web.StreamResponse:
        """As the base does, but a 429 says how long in its body too."""
        fault = fault_of(request)
        if status != 429 or fault is None or fault.body is not None:
            return await super().fail(request, status, message)
        return await self._limit(request, fault.retry_after or 0.0, everybody=False)

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """Behind the token and the limits."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if self.deleted:
                return await self.fail(request, 404)
            if request.match_info["token"] != self.token:
                return await self.fail(request, 401)
            for bucket in (self._global, self._buckets[request.method]):
                wait_s = bucket.take()
                if wait_s > 0:
                    return await self._limit(request, wait_s, everybody=bucket is self._global)
            return await endpoint(request)

        return guarded

    async def _limit(self, request: web.Request, wait_s: float, *, everybody: bool) -> web.StreamResponse:
        self.limited += 1
        body = {"message": "You are being rate limited.", "retry_after": wait_s, "global": everybody}
        headers = {**self._limits(request), "Retry-After": f"{wait_s:.0f}", "X-RateLimit-Reset-After": f"{wait_s:.3f}",
                   "X-RateLimit-Remaining": "0", "X-RateLimit-Scope": "global" if everybody else "user"}  # fmt: skip
        if everybody:
            headers["X-RateLimit-Global"] = "true"
        return await send(request, body, status=429, headers=headers)

    def _limits(self, request: web.Request) -> dict[str, str]:
        bucket = self._buckets[request.method]
        after_s = bucket.resets_in()
        return {
            "X-RateLimit-Limit": str(bucket.calls),
            "X-RateLimit-Remaining": str(bucket.left()),
            "X-RateLimit-Reset": f"{time.time() + after_s:.3f}",
            "X-RateLimit-Reset-After": f"{after_s:.3f}",
            "X-RateLimit-Bucket": f"{request.method.lower()}-webhook",
        }

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        shown = {"id": request.match_info["id"], "type": 1, "name": "Spillway", "channel_id": "1"}
        return await self._answer(request, shown)

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        body = request[ENTRY].json
        refusal = refused(body, empty="content" not in (body or {}) and not (body or {}).get("embeds"))
        if refusal:
            return await self.fail(request, 400, refusal)

        def make() -> Message:
            message = Message(self._snowflake())
            message.put(body)
            self.messages.append(message)
            return message

        return await self._done(request, make, waits=request.query.get("wait") == "true")

    async def _read(self, request: web.Request) -> web.StreamResponse:
        message = self._known(request)
        if message is None:
            return await self._unknown(request)
        return await self._answer(request, message.shown())

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        message, body = self._known(request), request[ENTRY].json
        refusal = refused(body)
        if message is None:
            return await self._unknown(request)
        if refusal:
            return await self.fail(request, 400, refusal)

        def edit() -> Message:
            message.put(body)
            message.edits += 1
            return message

        return await self._done(request, edit)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        message = self._known(request)
        if message is None:
            return await self._unknown(request)

        def delete() -> Message:
            message.deleted = True
            return message

        return await self._done(request, delete, waits=False)

    async def _done(
        self, request: web.Request, act: Callable[[], Message], *, waits: bool = True
    ) -> web.StreamResponse:
        """The change, and what the fault leaves of its reply."""
        kind = getattr(fault_of(request), "kind", None)
        if kind == "late":
            self.spawn(self._later(act))
            await drop(request)
        message = act()
        if kind == "repeated":
            message = act()
        if kind == "reply_lost":
            await drop(request)
        if kind == "error":
            return await self.fail(request, 500)
        return await self._answer(request, message.shown() if waits else None)

    async def _later(self, act: Callable[[], Message]) -> None:
        await self.clock.sleep(self.late_s)
        act()

    async def _answer(self, request: web.Request, shown: Mapping[str, Any] | None) -> web.StreamResponse:
        if shown is None:
            return web.Response(status=204, headers=self._limits(request))
        return await send(request, shown, fault_of(request), headers=self._limits(request))

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        body = self.problem(404, "Unknown Message", code=10008)
        return await send(request, body, status=404, headers=self._limits(request))

    def _known(self, request: web.Request) -> Message | None:
        return next((one for one in self.channel if one.id == request.match_info["message"]), None)

    def _snowflake(self) -> str:
        """Ids grow with time, and by one within a millisecond."""
        last = int(self.messages[-1].id) if self.messages else 0
        return str(max(last + 1, (int(time.time() * 1000) - EPOCH_MS) << 22))
